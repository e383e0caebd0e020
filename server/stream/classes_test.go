package stream

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// What is remembered of statements is bounded in bytes, whatever they are.
func TestClassesAreBounded(t *testing.T) {
	s, _ := open(t, Options{})
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	wide := "select 1" + strings.Repeat(",1", 1999) + " -- "
	for i := range 2*classesMax + 10 {
		do(t, s, wide+fmt.Sprint(i))
	}
	check := func() {
		t.Helper()
		if grown := heap() - before; grown > 16<<20 {
			t.Errorf("the heap has grown by %d MB", grown>>20)
		}
	}
	check()
	many := "select 1 where 0 in (?" + strings.Repeat(",?", 2000) + ") -- "
	for i := range 2*classesMax + 10 {
		sql := many + fmt.Sprint(i)
		if c, herr := s.class(bg, sql); herr != nil || len(c.params) != 2001 {
			t.Fatal(herr)
		}
	}
	check()
	runtime.KeepAlive(s)
}
