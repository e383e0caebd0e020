package nearlite

import "testing"

// The WAL's limit follows the size of the commits, unless it was set.
func TestCheckpointLimit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ option, commit, want int64 }{
		"small commits": {0, 8 << 10, 4 << 20},
		"large commits": {0, 1 << 20, 8 << 20},
		"huge commits":  {0, 1 << 30, 16 << 20},
		"set":           {1 << 20, 1 << 30, 1 << 20},
	} {
		c := &checkpointer{db: &DB{opts: Options{CheckpointBytes: tc.option}}}
		c.commit.Store(tc.commit)
		if got := c.limit(); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
