package bench

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Machine is what a figure was measured on. A field that the system does not
// tell is empty or zero.
type Machine struct {
	OS         string  `json:"os"`
	Arch       string  `json:"arch"`
	Kernel     string  `json:"kernel"`
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"` // logical processors this process may run on
	GOMAXPROCS int     `json:"gomaxprocs"`
	Governor   string  `json:"governor"`    // frequency governor of the first processor
	CgroupCPUs float64 `json:"cgroup_cpus"` // processors' worth of time the cgroup allows; 0 = no limit
	Memory     int64   `json:"memory_bytes"`
	CgroupMem  int64   `json:"cgroup_memory_bytes"` // 0 = no limit
	FileSystem string  `json:"file_system"`         // of the database
	Load       string  `json:"load"`                // load averages when the report was made
	Go         string  `json:"go"`
}

// DescribeMachine describes the machine this process runs on and the file
// system that path lies on.
func DescribeMachine(path string) Machine {
	return Machine{
		OS:         runtime.GOOS,
		Arch:       runtime.GOARCH,
		Kernel:     firstLine("/proc/sys/kernel/osrelease"),
		CPU:        field("/proc/cpuinfo", "model name"),
		Cores:      runtime.NumCPU(),
		GOMAXPROCS: runtime.GOMAXPROCS(0),
		Governor:   firstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
		CgroupCPUs: cgroupCPUs(),
		Memory:     kilobytes("/proc/meminfo", "MemTotal"),
		CgroupMem:  cgroupMemory(),
		FileSystem: fileSystem(filepath.Dir(path)),
		Load:       firstLine("/proc/loadavg"),
		Go:         runtime.Version(),
	}
}

// memoryAvailable returns the bytes that the system could give to a file's
// pages, no more than the cgroup allows; zero if it does not tell.
func memoryAvailable() int64 {
	available := kilobytes("/proc/meminfo", "MemAvailable")
	if limit := cgroupMemory(); limit > 0 {
		return min(available, limit)
	}
	return available
}

// cgroupCPUs returns the smallest quota on the way from this process's cgroup
// up to the root, in processors; both versions of cgroups are looked at.
func cgroupCPUs() float64 {
	var limit float64
	tighten := func(quota, period float64) {
		if quota > 0 && period > 0 && (limit == 0 || quota/period < limit) {
			limit = quota / period
		}
	}
	for _, dir := range cgroupDirs("") {
		if quota, period, ok := strings.Cut(firstLine(filepath.Join(dir, "cpu.max")), " "); ok {
			tighten(number(quota), number(period))
		}
	}
	for _, dir := range cgroupDirs("cpu") {
		tighten(number(firstLine(filepath.Join(dir, "cpu.cfs_quota_us"))),
			number(firstLine(filepath.Join(dir, "cpu.cfs_period_us"))))
	}
	return limit
}

// cgroupMemory returns the smallest memory limit on the way up to the root.
func cgroupMemory() int64 {
	// Version 1 writes "no limit" as the largest number of whole pages.
	const unlimited = 1 << 62
	var limit int64
	tighten := func(file string) {
		if n := int64(number(firstLine(file))); n > 0 && n < unlimited && (limit == 0 || n < limit) {
			limit = n
		}
	}
	for _, dir := range cgroupDirs("") {
		tighten(filepath.Join(dir, "memory.max"))
	}
	for _, dir := range cgroupDirs("memory") {
		tighten(filepath.Join(dir, "memory.limit_in_bytes"))
	}
	return limit
}

// cgroupDirs returns the directories of this process's cgroup for a controller
// and of all cgroups above it; the empty controller means version 2.
func cgroupDirs(controller string) []string {
	file, _ := os.ReadFile("/proc/self/cgroup")
	root := filepath.Join("/sys/fs/cgroup", controller)
	var dirs []string
	for line := range strings.Lines(string(file)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 || !contains(parts[1], controller) {
			continue
		}
		for dir := filepath.Clean("/" + parts[2]); ; dir = filepath.Dir(dir) {
			dirs = append(dirs, filepath.Join(root, dir))
			if dir == "/" {
				break
			}
		}
	}
	return dirs
}

// contains reports whether a comma-separated list has the item.
func contains(list, item string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if part == item {
			return true
		}
	}
	return false
}

func firstLine(path string) string {
	file, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(file), "\n")
	return strings.TrimSpace(line)
}

// field returns what follows "name:" in a file of such lines.
func field(path, name string) string {
	file, _ := os.ReadFile(path)
	for line := range strings.Lines(string(file)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// kilobytes returns a field such as "MemTotal: 24689512 kB" in bytes.
func kilobytes(path, name string) int64 {
	return int64(number(strings.TrimSuffix(field(path, name), " kB"))) << 10
}

// number returns zero for what is none: "max", or a file that is not there.
func number(s string) float64 {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return n
}
