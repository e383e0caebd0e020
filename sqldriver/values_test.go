package sqldriver

import (
	"bytes"
	"context"
	"database/sql"
	"math"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// Whatever goes in as a parameter comes out as it was, by place and by name.
func FuzzParameters(f *testing.F) {
	db, err := sql.Open(Name, ":memory:")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	if _, err := db.Exec("CREATE TABLE t (at DATETIME)"); err != nil {
		f.Fatal(err)
	}
	f.Add(int64(-1), 0.5, "it's", []byte{0, 255}, true, int64(1), int64(0), 0, "a")
	f.Add(int64(math.MinInt64), math.Inf(-1), "\x00é\xff", []byte(nil), false, int64(-62135596800), int64(999999999), 14*60, "")
	f.Add(int64(0), math.NaN(), "", []byte{}, false, int64(253402300799), int64(1), -90, ":b")
	f.Fuzz(func(t *testing.T, i int64, x float64, s string, b []byte, yes bool, sec, nsec int64, zone int, name string) {
		ctx := context.Background()
		var gi int64
		var gx sql.NullFloat64
		var gs string
		var gb []byte
		var gyes bool
		row := db.QueryRowContext(ctx, "SELECT :i, @x, $s, :b, @yes", sql.Named("yes", yes), sql.Named("i", i), sql.Named("x", x), sql.Named("s", s), sql.Named("b", b))
		if err := row.Scan(&gi, &gx, &gs, &gb, &gyes); err != nil {
			t.Fatal(err)
		}
		if gi != i || gs != s || !bytes.Equal(gb, b) || (gb == nil) != (b == nil) || gyes != yes {
			t.Errorf("%v %q %v %v came out as %v %q %v %v", i, s, b, yes, gi, gs, gb, gyes)
		}
		if gx.Valid == math.IsNaN(x) || gx.Valid && gx.Float64 != x { // SQLite has no NaN, but NULL
			t.Errorf("%v came out as %v", x, gx)
		}
		if err := db.QueryRowContext(ctx, "SELECT ?, ?", s, sql.Named(name, 1)).Scan(&gs, &gi); (err == nil) != (name == "") {
			t.Errorf("a parameter by place and one named %q mix", name)
		}
		fuzzTime(t, db, sec, nsec, zone)
	})
}

// fuzzTime sends a time of a four-digit year there and back.
func fuzzTime(t *testing.T, db *sql.DB, sec, nsec int64, zone int) {
	at := time.Unix(sec%253402300800, nsec%1e9).In(time.FixedZone("", zone%(24*60)*60))
	if at.Year() < 1 || at.Year() > 9999 {
		return
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var got time.Time
	if err := tx.QueryRow("INSERT INTO t VALUES (?) RETURNING at", at).Scan(&got); err != nil {
		t.Fatalf("%v: %v", at, err)
	}
	if !got.Equal(at) || got.Format(sqlite.TimeFormat) != at.Format(sqlite.TimeFormat) {
		t.Errorf("%v came out as %v", at, got)
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-07-09", "2026-07-09T12:30:15Z", "2026-07-09 12:30:15.5+02:00", "2026-07-09 12:30-01:30", "now"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := parseTime(s)
		if !ok {
			return
		}
		if again, ok := parseTime(at.Format(sqlite.TimeFormat)); !ok || !again.Equal(at) {
			t.Errorf("%q reads as %v, which reads as %v", s, at, again)
		}
	})
}
