package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// fileSystem returns the type and device of what a directory lies on, such as
// "ext4 on /dev/vda": the mount whose directory is the longest prefix of it.
func fileSystem(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	var found, longest string
	for line := range strings.Lines(string(mounts)) {
		parts := strings.Fields(line)
		if len(parts) < 3 {
			continue
		}
		if mount := parts[1]; under(dir, mount) && len(mount) >= len(longest) {
			longest, found = mount, fmt.Sprintf("%s on %s", parts[2], parts[0])
		}
	}
	return found
}

func under(dir, mount string) bool {
	return mount == "/" || dir == mount || strings.HasPrefix(dir, mount+"/")
}

// cpuTime returns the processor time this process has used.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakMemory returns the most memory this process has had resident.
func peakMemory() int64 { return kilobytes("/proc/self/status", "VmHWM") }

// diskUse returns what this process has made the disk do so far; zeros where the
// system does not tell.
func diskUse() DiskUse {
	use := DiskUse{
		ReadBytes:  int64(number(field("/proc/self/io", "read_bytes"))),
		WriteBytes: int64(number(field("/proc/self/io", "write_bytes"))),
	}
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		use.MajorFaults = int64(usage.Majflt)
	}
	return use
}
