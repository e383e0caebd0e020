package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/nearlite/nearlite/server"
)

// until is a writer that ends a context when a text has come.
type until struct {
	all  []byte
	text string
	stop context.CancelFunc
}

func (u *until) Write(p []byte) (int, error) {
	u.all = append(u.all, p...)
	if strings.Contains(string(u.all), u.text) {
		u.stop()
	}
	return len(p), nil
}

// --watch shows what happens between two looks, also when the server was started
// anew, until Ctrl-C.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	s := serveIn(t, t.TempDir())
	post(t, s.url+"/v1/query", `{"sql":"CREATE TABLE t (a)"}`)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() {
		for ctx.Err() == nil {
			if resp, err := http.Post(s.url+"/v1/query", "application/json", strings.NewReader(`{"sql":"INSERT INTO t VALUES (1)"}`)); err == nil {
				_ = resp.Body.Close()
			}
		}
	})
	defer load.Wait()
	defer stop()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"for people": {nil, "a second in"},
		"JSON":       {[]string{"--json"}, "\n{"},
	} {
		ctx, stop := context.WithCancel(t.Context())
		out := &until{text: test.want, stop: stop}
		code := run(ctx, append([]string{"status", s.url, "--watch", "--every", "50ms"}, test.args...), &Env{Stdin: strings.NewReader(""), Stdout: out, Stderr: io.Discard})
		if stop(); code != exitInterrupted {
			t.Errorf("%s: it ends with %d", name, code)
		}
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	before, now := server.NewSpread([]float64{1, 2}), server.NewSpread([]float64{1, 2})
	before.Counts, before.Sum = []uint64{1, 2, 3}, 10
	now.Counts, now.Sum = []uint64{1, 4, 3}, 13
	if d := since(before, now); total(d) != 2 || d.Sum != 3 || d.Counts[1] != 2 {
		t.Errorf("between the two is %+v", d)
	}
	if d := since(server.Spread{}, now); total(d) != 8 {
		t.Errorf("since the start is %+v", d)
	}
	for seconds, want := range map[float64]string{0: "0 ms", 5e-7: "0 µs", 42e-6: "42 µs", 0.00123: "1.2 ms", 0.25: "250 ms", 3: "3.0 s"} {
		if got := duration(seconds); got != want {
			t.Errorf("%v seconds are %q, want %q", seconds, got, want)
		}
	}
}
