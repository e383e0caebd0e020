package server

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	bounds := []float64{0.001, 0.002, 0.004}
	for name, test := range map[string]struct {
		durations []time.Duration
		q         float64
		want      float64
	}{
		"nothing":               {nil, 0.5, 0},
		"one":                   {[]time.Duration{time.Millisecond}, 1, 0.001},
		"half of the first":     {[]time.Duration{1, 1}, 0.5, 0.0005},
		"on a bound":            {[]time.Duration{1, 1, 3 * time.Millisecond, 3 * time.Millisecond}, 0.5, 0.001},
		"inside an interval":    {[]time.Duration{1, 1, 3 * time.Millisecond, 3 * time.Millisecond}, 0.75, 0.003},
		"beyond every bound":    {[]time.Duration{time.Second}, 0.99, 0.004},
		"over an empty place":   {[]time.Duration{1, 3 * time.Millisecond}, 1, 0.004},
		"the smallest of many":  {[]time.Duration{1500 * time.Microsecond, time.Second}, 0, 0.001},
		"a negative clock step": {[]time.Duration{-1}, 1, 0.001},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := NewSpread(bounds)
			for _, d := range test.durations {
				s.Add(d)
			}
			if got := s.Quantile(test.q); math.Abs(got-test.want) > 1e-12 {
				t.Errorf("the %v quantile of %v is %v, want %v", test.q, test.durations, got, test.want)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Version: "v9"})
	read := func(path string) (s Status) {
		t.Helper()
		answer := b.do(http.MethodGet, path, "")
		if answer.status != http.StatusOK {
			t.Fatalf("GET %s: %d %s", path, answer.status, answer.body)
		}
		if err := json.Unmarshal([]byte(answer.body), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := read("/v1/status")
	for _, sql := range []string{"CREATE TABLE t (a)", "INSERT INTO t VALUES (1)", "SELECT * FROM t"} {
		if answer := b.do(http.MethodPost, "/v1/query", `{"sql":"`+sql+`"}`); answer.status != http.StatusOK {
			t.Fatalf("%s: %s", sql, answer.body)
		}
	}
	after := read("/db/main/v1/status")
	if after.Version != "v9" || after.Instance == "" || after.Instance != before.Instance || after.Started.IsZero() {
		t.Errorf("the server is %q %q, and was %q", after.Version, after.Instance, before.Instance)
	}
	if want := (Access{Token: false, Write: true, Admin: true}); after.Access != want {
		t.Errorf("access is %+v, want %+v", after.Access, want)
	}
	d, was := after.Database, before.Database
	if d.Name != "main" || d.ID == "" || d.Bytes == 0 || d.Position == was.Position {
		t.Errorf("the database is %+v, was %+v", d, was)
	}
	var commits uint64
	for _, n := range d.CommitLatency.Counts {
		commits += n
	}
	if d.Transactions-was.Transactions != 2 || d.Commits-was.Commits != 2 || d.Reads-was.Reads != 1 || d.RowsRead-was.RowsRead != 1 || commits != 2 {
		t.Errorf("after two writes and a read: %+v, before: %+v", d, was)
	}
	if after.Requests-before.Requests < 4 || after.Databases.Open != 1 {
		t.Errorf("the server counts %+v", after)
	}
	if answer := b.do(http.MethodGet, "/db/other/v1/status", ""); answer.status != http.StatusNotFound {
		t.Errorf("the status of a database that is not there: %d", answer.status)
	}
	answer := b.do(http.MethodGet, "/db/main/v1/schema", "")
	if answer.status != http.StatusOK || !strings.Contains(answer.body, `"database":"main"`) || !strings.Contains(answer.body, `"name":"t","type":"table"`) {
		t.Errorf("the schema: %d %s", answer.status, answer.body)
	}
}
