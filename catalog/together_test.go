package catalog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
)

// Many at a time do whatever they like to few names. Every error is one that the
// verb has, and in the end the table, the names, the ids and the files agree.
func TestTogether(t *testing.T) {
	t.Parallel()
	c := openTest(t, &Options{MaxOpen: 4, IdleClose: 5 * time.Millisecond})
	source := makeSource(t)
	allowed := []error{ErrNotFound, ErrExists, ErrMain, ErrDeleted, nearlite.ErrClosed}
	until := time.Now().Add(2 * time.Second)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for worker := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, worker))
		some := func() string { return []string{"a", "b", "c", "d", "e", "f", Main}[rng.IntN(7)] }
		wg.Go(func() {
			for n := 0; time.Now().Before(until); n++ {
				verb := []string{"create", "fork", "rename", "delete", "import", "replace", "write", "write", "write", "configure"}[rng.IntN(10)]
				from, to := some(), some()
				err := error(nil)
				switch verb {
				case "write":
					err = do(c, []string{verb, from, fmt.Sprint(worker, "-", n)}, source)
				case "fork", "rename":
					err = do(c, []string{verb, from, to}, source)
				case "configure":
					err = c.Configure(bg, from, Config{MaxReaders: rng.IntN(3), MaxBytes: int64(rng.IntN(2)) << 30})
				default:
					err = do(c, []string{verb, from}, source)
				}
				if err != nil && !slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }) {
					t.Errorf("%s %s %s: %v", verb, from, to, err)
				}
			}
		})
	}
	wg.Wait()
	list, err := c.List(bg, "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, i := range list {
		ids = append(ids, i.ID.String())
		h, err := c.Acquire(bg, i.Name)
		if err != nil || h.ID() != i.ID || h.Name() != i.Name || h.Config() != i.Config {
			t.Fatalf("%+v: %+v, %v", i, h, err)
		}
		byID, err := c.AcquireID(bg, i.ID)
		if err != nil || byID.DB() != h.DB() {
			t.Fatal(err)
		}
		h.Release()
		byID.Release()
	}
	for name := range c.names.Range {
		if !slices.ContainsFunc(list, func(i Info) bool { return i.Name == name }) {
			t.Errorf("the name %v is kept for nobody", name)
		}
	}
	if s := c.Stats(); s.Known != len(list) || s.Open > 4 {
		t.Errorf("%+v, of %d", s, len(list))
	}
	c.Close()
	for _, f := range files(c) {
		if id, _, _ := strings.Cut(f, "."); !slices.Contains(ids, id) {
			t.Errorf("%s is of no database", f)
		}
	}
}

// When the process may open no more files, idle databases are closed for new ones.
func TestOutOfFiles(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+t.TempDir(), childFiles+"=120")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// childFiles makes the child one that may open so many files.
const childFiles = "NEARLITE_CATALOG_FILES"

func openManyWithFewFiles(dir string, most uint64) error {
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		return err
	}
	c, err := Open(bg, dir, nil)
	if err != nil {
		return err
	}
	for i := range 60 {
		name := fmt.Sprint("db", i)
		var others []*os.File
		for i > 0 { // so that it is Create that finds none left
			f, err := os.Open(os.DevNull)
			if err != nil {
				break
			}
			others = append(others, f)
		}
		_, err := c.Create(bg, name, nil)
		for _, f := range others {
			f.Close()
		}
		if err != nil {
			return err
		}
		h, err := c.Acquire(bg, name)
		if err != nil {
			return err
		}
		if err := write(h, name); err != nil {
			return err
		}
		h.Release()
	}
	var held []*Handle
	for i := range 60 { // and when none is idle it is an error that says so
		h, err := c.Acquire(bg, fmt.Sprint("db", i))
		if err != nil {
			if !errors.Is(err, syscall.EMFILE) {
				return err
			}
			break
		}
		held = append(held, h)
	}
	if len(held) < 5 || len(held) > 30 {
		return fmt.Errorf("%d could be held", len(held))
	}
	for _, h := range held {
		h.Release()
	}
	return c.Close()
}
