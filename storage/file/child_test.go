//go:build unix

package file

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nearlite/nearlite/storage"
)

// The test binary is also the process that is killed, and those that compete.
func TestMain(m *testing.M) {
	switch os.Getenv("NEARLITE_CHILD") {
	case "die":
		dieAtStep(os.Getenv("NEARLITE_DIR"), number("NEARLITE_STEP"))
	case "compete":
		compete(os.Getenv("NEARLITE_DIR"), number("NEARLITE_STEP"))
	default:
		os.Exit(m.Run())
	}
}

func number(name string) int {
	n, err := strconv.Atoi(os.Getenv(name))
	orDie(err)
	return n
}

func orDie(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// child runs this program as another process.
func child(t *testing.T, role, dir string, step int) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), "NEARLITE_CHILD="+role, "NEARLITE_DIR="+dir, "NEARLITE_STEP="+strconv.Itoa(step))
	cmd.Stderr = os.Stderr
	return cmd
}

// script is the load of a process that dies: objects in new and old directories,
// a head that is replaced, an object that is deleted. It says what it was told.
func script(s storage.Store, acknowledged func(string)) error {
	ctx := context.Background()
	head, err := s.Create(ctx, "head", storage.Bytes([]byte("0")))
	if err != nil {
		return err
	}
	acknowledged("head 0")
	for i := 1; i <= 3; i++ {
		key := fmt.Sprintf("%d/entry", i/2)
		if i == 3 {
			key = "1/other"
		}
		if _, err := s.Create(ctx, key, storage.Bytes(entry(key))); err != nil {
			return err
		}
		acknowledged("create " + key)
		if head, err = s.Replace(ctx, "head", storage.Bytes([]byte(strconv.Itoa(i))), head.Version); err != nil {
			return err
		}
		acknowledged("head " + strconv.Itoa(i))
	}
	if err := s.Delete(ctx, "0/entry"); err != nil {
		return err
	}
	acknowledged("delete 0/entry")
	return nil
}

func entry(key string) []byte { return bytes.Repeat([]byte(key), 50000) }

// dieAtStep runs the script and is killed before the n-th of its steps.
func dieAtStep(dir string, n int) {
	s, err := Open(context.Background(), dir, nil)
	orDie(err)
	s.before = func(string, string) error {
		if n--; n == 0 {
			orDie(syscall.Kill(os.Getpid(), syscall.SIGKILL))
			select {}
		}
		return nil
	}
	orDie(script(s, func(what string) { fmt.Println(what) }))
	fmt.Println("done")
}

// A process dies before each of the steps that matter. Then what it was told is
// so, nothing is there in part, and what it left is gone.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		dir := t.TempDir()
		out, _ := child(t, "die", dir, step).Output()
		told := map[string]bool{}
		lines := bufio.NewScanner(bytes.NewReader(out))
		for lines.Scan() {
			told[lines.Text()] = true
		}
		s := open(t, dir)
		checkScript(t, step, s, told)
		noLeftovers(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if told["done"] {
			if step < 20 {
				t.Errorf("the script has %d steps only", step)
			}
			return
		}
	}
}

func checkScript(t *testing.T, step int, s *Store, told map[string]bool) {
	t.Helper()
	objects := map[string]string{}
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := storage.ReadAll(t.Context(), s, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		objects[info.Key] = string(content)
	}
	for key, content := range objects {
		if key != "head" && content != string(entry(key)) {
			t.Errorf("step %d: %s has %d bytes", step, key, len(content))
		}
	}
	for i := range 4 {
		if head := fmt.Sprint(i); told["head "+head] && objects["head"] < head {
			t.Errorf("step %d: the head is %q, and %s was told", step, objects["head"], head)
		}
	}
	for _, key := range []string{"0/entry", "1/entry", "1/other"} {
		if _, there := objects[key]; told["create "+key] && !there && !(key == "0/entry" && told["create 1/other"]) {
			t.Errorf("step %d: %s is gone", step, key)
		}
	}
	if _, there := objects["0/entry"]; there && told["delete 0/entry"] {
		t.Errorf("step %d: the deleted object is back", step)
	}
}

// noLeftovers expects that only this store has a file among the temporary ones.
func noLeftovers(t *testing.T, s *Store) {
	t.Helper()
	entries, err := os.ReadDir(s.owner.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != s.owner.name+ownerSuffix {
			t.Errorf("%s is left", e.Name())
		}
	}
}

const competitors, slots, raises = 4, 30, 25

// compete creates every slot and raises a counter.
func compete(dir string, name int) {
	ctx := context.Background()
	s, err := Open(ctx, dir, nil)
	orDie(err)
	for slot := range slots {
		_, err := s.Create(ctx, fmt.Sprintf("slot/%02d", slot), storage.Bytes(bytes.Repeat([]byte{byte('0' + name)}, 10000)))
		if err == nil {
			fmt.Println("slot", slot)
		} else if !errors.Is(err, storage.ErrExist) {
			orDie(err)
		}
	}
	for done := 0; done < raises; {
		old, info, err := storage.ReadAll(ctx, s, "counter")
		orDie(err)
		count, _ := strconv.Atoi(string(old))
		_, err = s.Replace(ctx, "counter", storage.Bytes([]byte(strconv.Itoa(count+1))), info.Version)
		if err == nil {
			done++
		} else if !errors.Is(err, storage.ErrConflict) {
			orDie(err)
		}
	}
	orDie(s.Close())
}

// Processes that know nothing of each other have one winner for each slot, and
// lose no step of a counter.
func TestProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	if _, err := s.Create(t.Context(), "counter", storage.Bytes([]byte("0"))); err != nil {
		t.Fatal(err)
	}
	won := make([]string, competitors)
	var all sync.WaitGroup
	for i := range competitors {
		all.Go(func() {
			out, err := child(t, "compete", dir, i).Output()
			if err != nil {
				t.Error(err)
			}
			won[i] = string(out)
		})
	}
	all.Wait()
	if n := strings.Count(strings.Join(won, ""), "slot"); n != slots {
		t.Errorf("%d slots were won %d times", slots, n)
	}
	for i := range competitors {
		for line := range strings.Lines(won[i]) {
			var slot int
			if _, err := fmt.Sscanf(line, "slot %d", &slot); err != nil {
				t.Fatal(err)
			}
			got, _, err := storage.ReadAll(t.Context(), s, fmt.Sprintf("slot/%02d", slot))
			if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte('0' + i)}, 10000)) {
				t.Errorf("slot %d is not the winner's: %v", slot, err)
			}
		}
	}
	if got, _, err := storage.ReadAll(t.Context(), s, "counter"); err != nil || string(got) != strconv.Itoa(competitors*raises) {
		t.Errorf("the counter is at %q, %v", got, err)
	}
	noLeftovers(t, s)
}
