package catalog

import (
	"fmt"
	"testing"
)

// Acquire of a database that is open: what every request pays.
func BenchmarkAcquire(b *testing.B) {
	c := openTest(b, nil)
	h := acquire(b, c, Main)
	b.Run("name", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h, err := c.Acquire(bg, Main)
			if err != nil {
				b.Fatal(err)
			}
			h.Release()
		}
	})
	b.Run("id", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h, err := c.AcquireID(bg, h.ID())
			if err != nil {
				b.Fatal(err)
			}
			h.Release()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				h, err := c.Acquire(bg, Main)
				if err != nil {
					b.Error(err)
					return
				}
				h.Release()
			}
		})
	})
}

// Acquire of a database that is closed, with one that has to be closed for it.
func BenchmarkOpen(b *testing.B) {
	c := openTest(b, &Options{MaxOpen: 4})
	for i := range 16 {
		mustCreate(b, c, fmt.Sprint(i), nil)
		put(b, c, fmt.Sprint(i), "x")
	}
	for i := 0; b.Loop(); i++ {
		h, err := c.Acquire(bg, fmt.Sprint(i%16))
		if err != nil {
			b.Fatal(err)
		}
		h.Release()
	}
}

func BenchmarkCreate(b *testing.B) {
	c := openTest(b, nil)
	for i := 0; b.Loop(); i++ {
		mustCreate(b, c, fmt.Sprint("db", i), nil)
	}
}
