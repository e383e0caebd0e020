//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A trial is one engine on one kind of disk, with what is promised of it.
type trial struct {
	engine  string
	disk    string
	deceit  string // of a control: who does not keep his word
	preload string // library that deceives the engine
	options string // mount options that deceive the file system
	tail    bool   // acknowledged transactions may be missing at the end
}

const noFsync = "/usr/lib/x86_64-linux-gnu/libeatmydata.so"

// trials has the controls last in each group: who reads along sees first what is promised.
var trials = []trial{
	{engine: "full", disk: flakey},
	{engine: "full", disk: cache},
	{engine: "normal", disk: flakey, tail: true},
	{engine: "normal", disk: cache, tail: true},
	{engine: "full-barrier", disk: cache},
	{engine: "normal-barrier", disk: cache, tail: true},
	{engine: "full", disk: flakey, deceit: "fsync-ignored", preload: noFsync},
	{engine: "full", disk: cache, deceit: "fsync-ignored", preload: noFsync},
	{engine: "full", disk: cache, deceit: "no-barriers", options: "barrier=0"},
}

// String is a name without spaces, since it may be on a kernel's command line.
func (t trial) String() string {
	return strings.TrimSuffix(t.engine+"/"+t.disk+"/"+t.deceit, "/")
}

// guestMain is the first process of the guest: it makes the machine, runs the
// trials, and switches the machine off.
func guestMain(args []string) {
	f := flag.NewFlagSet("powercut guest", flag.ExitOnError)
	var s settings
	s.flags(f)
	_ = f.Parse(args) // the kernel adds words of its own at the end
	if err := prepare(s.evidence); err != nil {
		fmt.Println("prepare the guest:", err)
		fmt.Println(notHeld)
	} else if runTrials(s) {
		fmt.Println(allHeld)
	} else {
		fmt.Println(notHeld)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// prepare mounts what a machine needs, and loads the modules of the disks.
func prepare(evidence string) error {
	for _, m := range []struct{ kind, where, options string }{
		{"proc", "/proc", ""}, {"sysfs", "/sys", ""}, {"tmpfs", "/run", ""}, {"tmpfs", "/tmp", ""}, {"tmpfs", "/mnt", "size=90%"},
	} {
		if err := unix.Mount("none", m.where, m.kind, 0, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.where, err)
		}
	}
	for _, dir := range []string{"/mnt/disk", evidencePath} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if evidence != "" {
		if err := unix.Mount("none", evidencePath, "hostfs", 0, evidence); err != nil {
			return fmt.Errorf("mount %s of the host: %w", evidence, err)
		}
	}
	for name, value := range map[string]string{
		"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/run", "DM_DISABLE_UDEV": "1",
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	for _, module := range []string{"block/loop", "md/dm-mod", "md/dm-flakey", "md/dm-log-writes"} {
		if err := loadModule(module); err != nil {
			return err
		}
	}
	// From now on the kernel's errors are worth reading.
	if err := os.WriteFile("/proc/sys/kernel/printk", []byte("4"), 0); err != nil {
		return err
	}
	// The kernel looks twice a second for what is old enough to be written back.
	return os.WriteFile("/proc/sys/vm/dirty_writeback_centisecs", []byte("50"), 0)
}

func loadModule(name string) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	path := filepath.Join("/usr/lib/uml/modules", unix.ByteSliceToString(u.Release[:]), "kernel/drivers", name+".ko")
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
		return fmt.Errorf("load %s: %w", path, err)
	}
	return nil
}

// runTrials reports whether all went as promised.
func runTrials(s settings) bool {
	fmt.Printf("seed %d\n", s.seed)
	held, ran := true, 0
	for _, t := range trials {
		if !strings.Contains(t.String(), s.only) {
			continue
		}
		ran++
		from := time.Now()
		sum, err := t.run(context.Background(), s)
		if err != nil {
			fmt.Printf("%v: %v\n", t, err)
			lastWords(s, t)
			return false
		}
		complaint := t.complaint(sum)
		held = held && complaint == ""
		fmt.Printf("%-26s %4d cuts %8d acknowledged %8d lost, in %d cuts; damage in %d; %.0f s  %s\n",
			t, sum.cuts, sum.acked, sum.lost, sum.losing, sum.damaged, time.Since(from).Seconds(), complaint)
	}
	if ran == 0 {
		fmt.Printf("no case is called %q\n", s.only)
	}
	return held && ran > 0
}

// lastWords prints what the kernel had to say about a disk that failed, and keeps
// its image.
func lastWords(s settings, t trial) {
	if text, err := run("", "dmesg"); err == nil {
		lines := strings.Split(text, "\n")
		fmt.Println(strings.Join(lines[max(0, len(lines)-8):], "\n"))
	}
	if err := copySparse(filepath.Join(evidencePath, t.file(s)+".ext4"), "/mnt/image"); err != nil {
		fmt.Printf("keep the evidence: %v\n", err)
	}
}

// file is a name for the evidence of a trial.
func (t trial) file(s settings) string {
	return fmt.Sprintf("%s-%d", strings.ReplaceAll(t.String(), "/", "-"), s.seed)
}

// A tally adds up the rounds of a trial.
type tally struct{ cuts, acked, lost, losing, damaged, broken int }

// complaint says what is wrong with a trial as a whole.
func (t trial) complaint(sum tally) string {
	switch {
	case t.deceit != "" && sum.losing+sum.damaged == 0:
		return "PROVES NOTHING: nobody kept his word, and nothing is missing"
	case sum.broken > 0:
		return fmt.Sprintf("BROKEN in %d cuts", sum.broken)
	case t.tail && sum.losing == 0 && sum.cuts >= 10:
		return "PROVES NOTHING: no commit was synced, and none is missing"
	case sum.acked == 0:
		return "PROVES NOTHING: nothing was acknowledged"
	}
	return ""
}

func (t trial) run(ctx context.Context, s settings) (sum tally, err error) {
	d := &disk{kind: t.disk, dir: "/mnt", where: "/mnt/disk"}
	rounds := s.rounds
	if t.deceit != "" {
		rounds = s.controls
	}
	r := round{trial: t, disk: d, fresh: true}
	for i := range rounds {
		r.rng = rand.New(rand.NewPCG(s.seed, uint64(i)))
		f, err := r.run(ctx)
		if err != nil {
			return sum, fmt.Errorf("cut %d, %s: %w", i+1, r.how, err)
		}
		if sum.cuts++; sum.cuts%50 == 0 && sum.cuts < rounds {
			fmt.Printf("%v: %d of %d cuts\n", t, sum.cuts, rounds)
		}
		sum.acked += len(r.acks)
		sum.lost += f.lost
		if f.lost > 0 {
			sum.losing++
		}
		if len(f.problems) > 0 {
			sum.damaged++
		}
		if t.broken(f) {
			sum.broken++
			fmt.Printf("%v, cut %d of seed %d, %s: %d of %d acknowledged are lost, %d are left\n", t, i+1, s.seed, r.how, f.lost, len(r.acks), f.left)
			for _, p := range f.problems {
				fmt.Println("   ", p)
			}
			r.keep(fmt.Sprintf("%s-%d", t.file(s), i+1))
		}
	}
	return sum, nil
}

// broken says whether a finding is against the promise. Of a control nothing is promised.
func (t trial) broken(f finding) bool {
	return t.deceit == "" && (len(f.problems) > 0 || f.lost > 0 && !t.tail)
}
