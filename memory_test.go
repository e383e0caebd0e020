package nearlite

import (
	"slices"
	"testing"
)

func TestMemoryLimits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		groups string
		want   []string
	}{
		"version 2": {"0::/system.slice/app.service\n", []string{
			"/sys/fs/cgroup/system.slice/app.service/memory.max", "/sys/fs/cgroup/system.slice/memory.max", "/sys/fs/cgroup/memory.max"}},
		"version 1": {"8:pids:/x\n4:cpu,memory:/app\n", []string{
			"/sys/fs/cgroup/memory/app/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}},
		"in a container": {"0::/\n", []string{"/sys/fs/cgroup/memory.max"}},
		"outside":        {"0::/../../other\n", []string{"/sys/fs/cgroup/other/memory.max", "/sys/fs/cgroup/memory.max"}},
		"no groups":      {"", nil},
	} {
		if got := memoryLimits(test.groups); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
