//go:build linux

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kinds of disks: what a disk keeps of what it was told before the power went.
const (
	flakey = "flakey" // everything
	cache  = "cache"  // what was flushed, and a random part of the rest
)

const (
	diskBytes = 128 << 20
	logBytes  = 512 << 20
	dmName    = "powercut"
)

// A disk is an image in memory, with a device mapper in front of it while it may
// lose its power.
type disk struct {
	kind  string
	dir   string // with room for the images
	where string // mount point
	// Loop devices, while plugged in.
	loop, logLoop string
}

func (d *disk) image() string { return filepath.Join(d.dir, "image") }
func (d *disk) base() string  { return filepath.Join(d.dir, "base") }
func (d *disk) log() string   { return filepath.Join(d.dir, "log") }

// format makes the disk a new one.
func (d *disk) format() error {
	if err := empty(d.image(), diskBytes); err != nil {
		return err
	}
	// No lazy initialisation: a kernel thread would write at its leisure.
	_, err := run("", "mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", d.image())
	return err
}

// plug attaches the disk with the device that can lose its power, and mounts it.
func (d *disk) plug(options string) (err error) {
	if d.loop, err = attach(d.image()); err != nil {
		return err
	}
	table := d.table("flakey", "0 3600 0") // up for an hour, down for none
	if d.kind == cache {
		if err := d.startLog(); err != nil {
			return err
		}
		table = d.table("log-writes", d.logLoop)
	}
	if _, err := run(table, "dmsetup", "create", dmName); err != nil {
		return err
	}
	return d.mount("/dev/mapper/"+dmName, options)
}

func (d *disk) table(target, args string) string {
	return fmt.Sprintf("0 %d %s %s %s", diskBytes/512, target, d.loop, args)
}

// startLog keeps the disk as it is now, to have the log applied to it.
func (d *disk) startLog() (err error) {
	if err := copySparse(d.base(), d.image()); err != nil {
		return err
	}
	if err := empty(d.log(), logBytes); err != nil {
		return err
	}
	d.logLoop, err = attach(d.log())
	return err
}

// cut takes the power away. While the device is suspended, between the last write
// that is done and the first that will not be, it calls then.
func (d *disk) cut(then func() error) error {
	if _, err := run("", "dmsetup", "suspend", "--nolockfs", "--noflush", dmName); err != nil {
		return err
	}
	if err := then(); err != nil {
		return err
	}
	if d.kind == cache {
		if err := d.mark(); err != nil {
			return err
		}
	}
	if _, err := run(d.table("flakey", "0 0 3600 1 drop_writes"), "dmsetup", "load", dmName); err != nil {
		return err
	}
	_, err := run("", "dmsetup", "resume", dmName)
	return err
}

// mark notes the cut in the log, and waits until it is there: what is in the cache
// only is put before what is waiting to be logged when the device goes.
func (d *disk) mark() error {
	if _, err := run("", "dmsetup", "message", dmName, "0", "mark", cutMark); err != nil {
		return err
	}
	f, err := os.Open(d.log())
	if err != nil {
		return err
	}
	defer f.Close()
	for from := time.Now(); time.Since(from) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		entries, _, err := readLog(f)
		if err != nil {
			return err
		}
		if n := len(entries); n > 0 && entries[n-1].mark == cutMark {
			return nil
		}
	}
	return fmt.Errorf("the log of writes has no mark after 10 s: it is full")
}

// unplug unmounts the disk and leaves what it has kept.
func (d *disk) unplug(rng *rand.Rand) error {
	if err := unmount(d.where); err != nil {
		return err
	}
	if _, err := run("", "dmsetup", "remove", "--retry", dmName); err != nil {
		return err
	}
	if err := d.detach(); err != nil {
		return err
	}
	if d.kind == cache {
		return d.replay(rng)
	}
	return nil
}

// detach also forgets what the kernel has of the devices in memory.
func (d *disk) detach() error {
	for _, loop := range []*string{&d.loop, &d.logLoop} {
		if *loop == "" {
			continue
		}
		if _, err := run("", "losetup", "--detach", *loop); err != nil {
			return err
		}
		*loop = ""
	}
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
}

func (d *disk) replay(rng *rand.Rand) error {
	log, err := os.Open(d.log())
	if err != nil {
		return err
	}
	defer log.Close()
	image, err := os.OpenFile(d.base(), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = replay(log, image, rng)
	if closeErr := image.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(d.base(), d.image())
	}
	if err == nil {
		err = os.Remove(d.log())
	}
	return err
}

// repaired mounts the disk without a device that loses power, calls use, and
// checks the file system after it.
func (d *disk) repaired(use func() error) (err error) {
	if d.loop, err = attach(d.image()); err != nil {
		return err
	}
	if err := d.mount(d.loop, ""); err != nil {
		return err
	}
	used := use()
	if err := unmount(d.where); err != nil {
		return err
	}
	if err := d.detach(); err != nil {
		return err
	}
	if used != nil {
		return used
	}
	_, err = run("", "e2fsck", "-f", "-n", d.image())
	return err
}

func (d *disk) mount(device, options string) error {
	if err := unix.Mount(device, d.where, "ext4", 0, options); err != nil {
		return fmt.Errorf("mount %s with options %q: %w", device, options, err)
	}
	return nil
}

// unmount waits for what a killed process still has open.
func unmount(where string) error {
	var err error
	for from := time.Now(); time.Since(from) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		if err = unix.Unmount(where, 0); err != unix.EBUSY {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", where, err)
	}
	return nil
}

func attach(image string) (loop string, err error) {
	return run("", "losetup", "--find", "--show", image)
}

// empty makes a file of zeros that takes no memory.
func empty(path string, size int64) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(size)
}

// copySparse copies an image without its zeros.
func copySparse(to, from string) error {
	if err := empty(to, diskBytes); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	for at := int64(0); ; {
		start, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		if err == unix.ENXIO { // only zeros from here
			return nil
		} else if err != nil {
			return err
		}
		if at, err = unix.Seek(int(in.Fd()), start, unix.SEEK_HOLE); err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(out, start), io.NewSectionReader(in, start, at-start)); err != nil {
			return fmt.Errorf("copy an image: %w", err)
		}
	}
}

// run runs a program of the host's and returns what it printed.
func run(input, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text)
	}
	return text, nil
}
