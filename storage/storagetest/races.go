package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearlite/nearlite/storage"
)

// race runs n goroutines at the same time, each with one of four stores.
func (f *fixture) race(n int, run func(i int, s storage.Store)) {
	stores := []storage.Store{f.store, f.open(), f.open(), f.open()}
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			run(i, stores[i%len(stores)])
		})
	}
	close(start)
	all.Wait()
}

func testOneWinner(t *testing.T, f *fixture) {
	for round := range 3 {
		key := fmt.Sprintf("slot/%d", round)
		var winners atomic.Int64
		var winner atomic.Value
		f.race(64, func(i int, s storage.Store) {
			content := bytes.Repeat([]byte{byte(i)}, 1000+i)
			switch _, err := s.Create(f.ctx, key, storage.Bytes(content)); {
			case err == nil:
				winners.Add(1)
				winner.Store(content)
			case !errors.Is(err, storage.ErrExist):
				t.Error(err)
			}
		})
		if n := winners.Load(); n != 1 {
			t.Fatalf("of 64 writers %d won", n)
		}
		f.expect(key, winner.Load().([]byte))
	}
}

// Of those that store the same bytes one wins, too: who stored it is not for the
// content to say.
func testOneTwin(t *testing.T, f *fixture) {
	var winners atomic.Int64
	f.race(16, func(_ int, s storage.Store) {
		if _, err := s.Create(f.ctx, "twin", storage.Bytes([]byte("the same"))); err == nil {
			winners.Add(1)
		} else if !errors.Is(err, storage.ErrExist) {
			t.Error(err)
		}
	})
	if n := winners.Load(); n != 1 {
		t.Errorf("of 16 writers %d won", n)
	}
}

// Counters that are compared and swapped lose nothing.
func testCounters(t *testing.T, f *fixture) {
	const keys, writers, times = 2, 8, 10
	for i := range keys {
		f.create(fmt.Sprintf("counter/%d", i), []byte("0"))
	}
	f.race(writers, func(i int, s storage.Store) {
		key := fmt.Sprintf("counter/%d", i%keys)
		for done := 0; done < times; {
			old, info, err := storage.ReadAll(f.ctx, s, key)
			if err != nil {
				t.Error(err)
				return
			}
			count, _ := strconv.Atoi(string(old))
			_, err = s.Replace(f.ctx, key, storage.Bytes([]byte(strconv.Itoa(count+1))), info.Version)
			if err == nil {
				done++
			} else if !errors.Is(err, storage.ErrConflict) {
				t.Error(err)
				return
			}
		}
	})
	for i := range keys {
		f.expect(fmt.Sprintf("counter/%d", i), []byte(strconv.Itoa(writers/keys*times)))
	}
}

// Whoever reads an object while it is replaced gets one of its contents, whole, or
// is told.
func testReplaceAndRead(t *testing.T, f *fixture) {
	content := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 1000+i*5000) }
	f.create("head", content(0))
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		defer close(done)
		s := f.open()
		info, err := s.Stat(f.ctx, "head")
		for i := 0; err == nil && i < 60; i++ {
			info, err = s.Replace(f.ctx, "head", storage.Bytes(content(i%50)), info.Version)
		}
		if err != nil {
			t.Error(err)
		}
	})
	for going := true; going; {
		select {
		case <-done:
			going = false
		default:
		}
		got, _, err := storage.ReadAll(f.ctx, f.store, "head")
		if err == nil && !bytes.Equal(got, content(int(got[0]))) {
			t.Fatalf("read a mixture: %d bytes that begin with %d", len(got), got[0])
		} else if err != nil && !errors.Is(err, storage.ErrConflict) {
			t.Fatal(err)
		}
	}
	all.Wait()
}
