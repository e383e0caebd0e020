//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	acksPath     = "/mnt/acks"
	keptPath     = "/mnt/kept"
	evidencePath = "/mnt/evidence" // a directory of the host
	databaseAt   = "power.db"

	longest = 1500 * time.Millisecond // until the cut
	largest = 8 << 20                 // of a database; the next one is new
)

// A round is one power cut. It hands its database to the next round.
type round struct {
	trial
	disk *disk
	rng  *rand.Rand

	fresh bool  // the next round begins with an empty disk
	base  int64 // transactions in the database when the round begins

	acks []ack  // of this round, before the cut
	how  string // the settings of this round, in words
}

func (r *round) path() string { return filepath.Join(r.disk.where, databaseAt) }

func (r *round) run(ctx context.Context) (finding, error) {
	if r.fresh {
		if err := r.disk.format(); err != nil {
			return finding{}, err
		}
		r.base = 0
	}
	if err := r.uptime(); err != nil {
		return finding{}, err
	}
	var f finding
	err := r.disk.repaired(func() error {
		if err := r.remember(); err != nil { // BEFORE the engine repairs anything
			return err
		}
		f = examine(ctx, r.path(), r.base, r.acks)
		r.base = f.left
		info, err := os.Stat(r.path())
		// A control's database may be ruined.
		r.fresh = err != nil || info.Size() > largest || r.deceit != "" || r.rng.IntN(5) == 0
		if r.broken(f) {
			r.fresh = true
		}
		return nil
	})
	if err != nil && r.deceit != "" { // the file system did not survive, which shows enough
		f.problem("%v", err)
		r.fresh, err = true, nil
	}
	return f, err
}

// uptime is from the moment the power is there to the moment the disk has none.
func (r *round) uptime() error {
	commit := []int{1, 2, 5, 1000}[r.rng.IntN(4)]
	expire := []int{50, 100, 3000}[r.rng.IntN(3)]
	checkpoint := []int{0, 64 << 10, 1 << 20}[r.rng.IntN(3)]
	delay := time.Duration(r.rng.Int64N(int64(longest)))
	// From the start of the program in one round of four, to hit the making and
	// opening of the database, else from its first commit.
	early := r.rng.IntN(4) == 0 && r.deceit == ""
	since := "first commit"
	if early {
		since = "start"
	}
	r.how = fmt.Sprintf("%v after its %s, ext4 commit=%d, dirty for %d ms, checkpoints from %d bytes", delay.Round(time.Millisecond), since, commit, expire*10, checkpoint)
	if err := os.WriteFile("/proc/sys/vm/dirty_expire_centisecs", fmt.Append(nil, expire), 0); err != nil {
		return err
	}
	options := fmt.Sprintf("commit=%d", commit)
	if r.options != "" {
		options += "," + r.options
	}
	if err := r.disk.plug(options); err != nil {
		return err
	}
	if err := r.writeUntilCut(checkpoint, early, delay); err != nil {
		return err
	}
	return r.disk.unplug(r.rng)
}

// writeUntilCut runs the writer in a process of its own.
func (r *round) writeUntilCut(checkpoint int, early bool, delay time.Duration) error {
	if err := empty(acksPath, 0); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", "write", "-db="+r.path(), "-acks="+acksPath,
		"-engine="+r.engine, fmt.Sprintf("-checkpoint=%d", checkpoint))
	if r.preload != "" {
		cmd.Env = append(os.Environ(), "LD_PRELOAD="+r.preload)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the writer: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	if !early {
		if err := firstAck(cmd.Process, ended); err != nil {
			return fmt.Errorf("%w: %s", err, &out)
		}
	}
	select {
	case err := <-ended:
		return fmt.Errorf("the writer ended before the cut: %v: %s", err, &out)
	case <-time.After(delay):
	}
	err := r.disk.cut(func() error {
		data, err := os.ReadFile(acksPath)
		r.acks = decodeAcks(data)
		return err
	})
	// Longer than a commit takes, so that some are made without power.
	select {
	case <-ended:
		return err
	case <-time.After(time.Duration(r.rng.IntN(100)) * time.Millisecond):
	}
	if killErr := cmd.Process.Kill(); err == nil {
		err = killErr
	}
	<-ended
	return err
}

// firstAck waits until something was acknowledged. When it returns an error, the
// writer has ended; one that was stuck has said where.
func firstAck(writer *os.Process, ended chan error) error {
	for from := time.Now(); time.Since(from) < 30*time.Second; {
		if info, err := os.Stat(acksPath); err == nil && info.Size() > 0 {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the writer ended before its first commit: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	_ = writer.Signal(syscall.SIGQUIT)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = writer.Kill()
		<-ended
	}
	return errors.New("nothing was acknowledged in 30 s")
}

// remember copies what the disk has kept to where it can be found when it is wrong.
func (r *round) remember() error {
	if err := os.RemoveAll(keptPath); err != nil {
		return err
	}
	return os.CopyFS(keptPath, os.DirFS(r.disk.where))
}

// keep hands what was remembered to the host.
func (r *round) keep(name string) {
	if err := os.CopyFS(filepath.Join(evidencePath, name), os.DirFS(keptPath)); err != nil {
		fmt.Printf("keep the evidence: %v\n", err)
	}
}
