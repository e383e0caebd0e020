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
	for i := range 500 {
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
	for i := range 500 {
		sql := many + fmt.Sprint(i)
		if c, herr := s.class(bg, sql); herr != nil || len(c.params) != 2001 {
			t.Fatal(herr)
		}
	}
	check()
	runtime.KeepAlive(s)
}

// A statement that is remembered does not keep the whole text that it was part of.
func TestClassesKeepNoTexts(t *testing.T) {
	s, _ := open(t, Options{})
	padding := strings.Repeat("select 1;", 30_000)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range 50 {
		first := Split(fmt.Sprintf("select %d; savepoint s%d; pragma busy_timeout = %d; %s", i, i, i, padding))[:3]
		for _, sql := range first {
			if _, herr := s.class(bg, sql); herr != nil {
				t.Fatal(herr)
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int(after.HeapAlloc) - int(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap has grown by %d MB", grown>>20)
	}
	runtime.KeepAlive(s)
}
