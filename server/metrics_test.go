package server

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/catalog"
)

// value returns a metric as /metrics shows it.
func (b *bundle) value(name string) float64 {
	b.t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(b.do("GET", "/metrics", "").body)
	if m == nil {
		return -1
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Version: "v1"})
	b.pipeline("", execute("CREATE TABLE t (a)"), execute("INSERT INTO t VALUES (1), (2)"), execute("SELECT a FROM t"), execute("SELECT nothing"), closeRequest)
	b.pipeline("", execute("BEGIN"), execute("INSERT INTO t VALUES (3)"))
	b.pipeline("", execute("SELECT 1"))
	for name, want := range map[string]float64{
		`nearlite_build_info{version="v1"}`:                             1,
		`nearlite_transactions_total{database="main"}`:                  2,
		`nearlite_commits_total{database="main"}`:                       2,
		`nearlite_batch_size_count{database="main"}`:                    2,
		`nearlite_commit_seconds_count{database="main"}`:                2,
		`nearlite_write_seconds_count{database="main"}`:                 2,
		`nearlite_read_seconds_count{database="main"}`:                  2,
		`nearlite_rows_returned_total{database="main"}`:                 3,
		`nearlite_statements_failed_total{database="main"}`:             1,
		`nearlite_databases{state="open"}`:                              1,
		`nearlite_streams{state="transaction",transport="http"}`:        1,
		`nearlite_streams{state="idle",transport="http"}`:               1,
		`nearlite_requests_refused_total`:                               0,
		`nearlite_transactions_total{database="other"}`:                 -1, // there are no others
		`nearlite_batch_size_bucket{database="main",le="1"}`:            2,
		`nearlite_write_seconds_bucket{database="main",le="+Inf"}`:      2,
		`nearlite_queue_wait_seconds_bucket{database="main",le="+Inf"}`: 3,
	} {
		if got := b.value(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	status := b.do("GET", "/v1/status", "")
	status.expect(t, 200, `"transactions":2`, `"commits":2`, `"reads":2`, `"failed":1`, `"rows_read":3`, `"name":"main"`)
}

// However many databases there are, few have metrics of their own: the busiest.
// The others are one, and nothing is counted twice or lost.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{LabelledDatabases: 2})
	for i := range 10 {
		name := fmt.Sprintf("d%d", i)
		if _, err := b.cat.Create(t.Context(), name, nil); err != nil {
			t.Fatal(err)
		}
		b.do("POST", "/db/"+name+"/v1/query", `{"sql":"CREATE TABLE t (a)"}`).expect(t, 200)
	}
	sum := func() (names []string, total float64) {
		for _, m := range regexp.MustCompile(`(?m)^nearlite_transactions_total\{database="([^"]*)"\} (\S+)$`).FindAllStringSubmatch(b.do("GET", "/metrics", "").body, -1) {
			v, _ := strconv.ParseFloat(m[2], 64)
			names, total = append(names, m[1]), total+v
		}
		slices.Sort(names)
		return names, total
	}
	names, total := sum()
	if len(names) != 3 || names[2] != "other" || total != 10 {
		t.Errorf("metrics of %v add up to %v", names, total)
	}
	// Another one that is much busier takes the place of an idle one.
	busy := slices.IndexFunc([]string{"d7", "d8", "d9"}, func(n string) bool { return !slices.Contains(names, n) }) + 7
	for range 4 {
		for range 40 {
			b.do("POST", fmt.Sprintf("/db/d%d/v1/query", busy), `{"sql":"INSERT INTO t VALUES (1)"}`).expect(t, 200)
		}
		b.server.databases.look(b.server)
	}
	if names, _ := sum(); !slices.Contains(names, fmt.Sprintf("d%d", busy)) || len(names) != 3 {
		t.Errorf("d%d is busy, and metrics are of %v", busy, names)
	}
	before := b.value(`nearlite_transactions_total{database="other"}`)
	if before < 8 {
		t.Errorf("the others have %v transactions", before)
	}
	// What is closed is in “other” still.
	if err := b.cat.Delete(t.Context(), "d5"); err != nil {
		t.Fatal(err)
	}
	if after := b.value(`nearlite_transactions_total{database="other"}`); after < before {
		t.Errorf("the others had %v transactions and have %v", before, after)
	}
}

// Counters go on when a database was closed and is opened again.
func TestCountersSurviveClosing(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	count := func() float64 { return b.value(`nearlite_transactions_total{database="main"}`) }
	b.do("POST", "/v1/query", `{"sql":"CREATE TABLE t (a)"}`).expect(t, 200)
	if n := count(); n != 1 {
		t.Fatalf("%v transactions", n)
	}
	h, err := b.cat.Acquire(t.Context(), catalog.Main)
	if err != nil {
		t.Fatal(err)
	}
	opening := h.DB().Position().Log
	h.Release()
	if err := b.cat.Configure(t.Context(), catalog.Main, catalog.Config{MaxReaders: 3}); err != nil { // opened anew
		t.Fatal(err)
	}
	for range 100 {
		b.do("POST", "/v1/query", `{"sql":"INSERT INTO t VALUES (1)"}`).expect(t, 200)
		if h, err = b.cat.Acquire(t.Context(), catalog.Main); err != nil {
			t.Fatal(err)
		}
		now := h.DB().Position().Log
		if h.Release(); now != opening {
			break
		}
	}
	if n := count(); n < 2 {
		t.Errorf("%v transactions after it was opened again", n)
	}
}

// The log has what was slow, once.
func TestSlowStatements(t *testing.T) {
	t.Parallel()
	b, log := setupLogged(t, Options{Slow: 1})
	b.pipeline("", execute("SELECT 'slow'"), closeRequest)
	if text := log.String(); strings.Count(text, "a slow statement") != 1 || !strings.Contains(text, " name=main ") || !strings.Contains(text, `sql="SELECT 'slow'"`) {
		t.Errorf("the log is %s", text)
	}
	if n := b.value("nearlite_slow_statements_total"); n != 1 {
		t.Errorf("%v slow statements are counted", n)
	}
}
