package nearlite

import (
	"context"
	"os"
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

// availableMemory returns the machine's memory or the cgroup's limit, whichever
// is smaller, in bytes; 1 GiB if neither can be read.
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
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(name); err == nil {
			if limit, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil {
				memory = min(memory, limit)
			}
		}
	}
	return memory
}
