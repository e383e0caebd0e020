package nearlite

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// chooseMapping decides how much of the file readers map into memory. A mapped
// page is read without a copy and without a cache to be refilled after each
// commit. But under memory pressure mapped reads evict the writer's pages faster
// than they help, so a file is mapped only while it is small beside the memory
// this process may use.
func (db *DB) chooseMapping(context.Context) error {
	switch {
	case db.opts.MmapSize < 0:
		db.mmap = 0
	case db.opts.MmapSize > 0:
		db.mmap = db.opts.MmapSize
	default:
		var size int64
		if info, err := os.Stat(db.path); err == nil {
			size = info.Size()
		}
		if half := availableMemory() / 2; size < half {
			// Room to grow, but never more than half of the memory.
			db.mmap = half
		}
	}
	return nil
}

// availableMemory returns the machine's memory or the control group's limit,
// whichever is smaller, in bytes; 1 GiB if neither can be read.
func availableMemory() int64 {
	memory := int64(1) << 30
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
				if kb, err := strconv.ParseInt(f[1], 10, 64); err == nil {
					memory = kb << 10
				}
			}
		}
	}
	groups, _ := os.ReadFile("/proc/self/cgroup")
	for _, name := range memoryLimits(string(groups)) {
		if b, err := os.ReadFile(name); err == nil {
			if limit, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil {
				memory = min(memory, limit)
			}
		}
	}
	return memory
}

// memoryLimits returns the files that may limit the memory of a process whose
// /proc/self/cgroup is given: those of its control group and of every one above
// it, in either version. In a container the path may be another's, so that the
// root of what is mounted is always among them.
func memoryLimits(groups string) []string {
	var files []string
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		var root, file string
		switch {
		case parts[1] == "":
			root, file = "/sys/fs/cgroup", "memory.max"
		case slices.Contains(strings.Split(parts[1], ","), "memory"):
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for dir := filepath.Clean("/" + parts[2]); ; dir = filepath.Dir(dir) {
			files = append(files, filepath.Join(root, dir, file))
			if dir == "/" {
				break
			}
		}
	}
	return files
}
