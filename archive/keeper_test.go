package archive

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nearlite/nearlite/storage"
)

// In the background, an archive writes its hint, merges, makes snapshots and prunes
// while entries come in, and then rests.
func TestKeeper(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := directory(t, dir)
		a, err := Open(t.Context(), s, &Options{Maintain: true})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		h := newHistory(t, 512)
		for range 60 {
			h.live(a, 2)
			time.Sleep(10 * time.Second)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		n := levels(all(t, a))
		if n[0] != 120 || n[1] < 10 || n[1] > 30 || n[2] < 1 || n[3] != 1 {
			t.Errorf("objects of each level: %v", n)
		}
		if hinted, err := a.readHint(t.Context()); err != nil || hinted != 120 {
			t.Errorf("the hint says %d, %v", hinted, err)
		}
		wellFormed(t, a)
		before := a.Requests()
		time.Sleep(26 * time.Hour)
		if after := a.Requests(); after != before {
			t.Errorf("an idle archive has asked for %+v after %+v", after, before)
		}
		h.live(a, 1)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if hinted, err := a.readHint(t.Context()); err != nil || hinted != 121 {
			t.Errorf("after Close the hint says %d, %v", hinted, err)
		}
		if err := a.Append(t.Context(), h.entry()); err == nil {
			t.Error("an entry was appended after Close")
		}
	})
}

// What fails in the background is tried again.
func TestKeeperTriesAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := directory(t, dir)
		var away atomic.Bool
		away.Store(true)
		a, err := Open(t.Context(), &sometimes{s, away.Load}, &Options{Maintain: true})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		h := newHistory(t, 512)
		h.live(a, 5)
		time.Sleep(5 * time.Minute)
		if n := levels(all(t, a))[1]; n != 0 {
			t.Fatal(n)
		}
		synctest.Wait()
		away.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := levels(all(t, a))[1]; n != 1 {
			t.Fatal(n)
		}
	})
}

var _ storage.Store = (*sometimes)(nil)

// sometimes is a store that takes entries only, for a while.
type sometimes struct {
	storage.Store
	away func() bool
}

// Create refuses what is not an entry.
func (s *sometimes) Create(ctx context.Context, key string, c storage.Content) (storage.Info, error) {
	if s.away() && !strings.HasPrefix(key, "ltx/0/") {
		return storage.Info{}, &storage.Error{Op: "create", Store: s.String(), Key: key, Kind: storage.ErrUnavailable}
	}
	return s.Store.Create(ctx, key, c)
}
