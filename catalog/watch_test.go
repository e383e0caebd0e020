package catalog

import (
	"testing"
	"time"
)

func TestEachOpen(t *testing.T) {
	t.Parallel()
	c, err := Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Create(t.Context(), "closed", nil); err != nil {
		t.Fatal(err)
	}
	h, err := c.Acquire(t.Context(), Main)
	if err != nil {
		t.Fatal(err)
	}
	h.Release()
	used := h.e.used.Load()
	var names []string
	c.EachOpen(func(h *Handle) { names = append(names, h.Name()) })
	if len(names) != 1 || names[0] != Main {
		t.Errorf("open are %v, want main only", names)
	}
	if h.e.used.Load() != used {
		t.Error("to be looked at counted as use")
	}
	c.closeUnused(time.Now().Add(time.Hour))
	c.EachOpen(func(h *Handle) { t.Errorf("%s is open, and was closed", h.Name()) })
}
