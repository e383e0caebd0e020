package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func ptr[T any](v T) *T { return &v }

type (
	age    int8
	title  string
	raw    []byte
	moment time.Time
	// upper is a Scanner that takes texts only.
	upper string
)

func (u *upper) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("upper: a %T", src)
	}
	*u = upper(strings.ToUpper(s))
	return nil
}

func TestScan(t *testing.T) {
	t.Parallel()
	c := open(t)
	when := time.Date(2026, 11, 21, 13, 14, 15, 0, time.UTC)
	for _, tc := range []struct {
		sql  string
		want any // what a variable of this type holds after it
	}{
		{"42", int(42)}, {"42", int64(42)}, {"-42", int32(-42)}, {"42", uint16(42)}, {"42", age(42)}, {"42", "42"}, {"42", title("42")},
		{"42", 42.0}, {"42", float32(42)}, {"42", any(int64(42))}, {"42", ptr(42)}, {"42", ptr(ptr(age(42)))}, {"42", []byte("42")},
		{"42.0", 42}, {"-9223372036854775808.0", int64(math.MinInt64)}, {"1.5", 1.5}, {"1.5", "1.5"}, {"1.5", any(1.5)},
		{"'42'", 42}, {"'1e3'", 1000.0}, {"'abc'", "abc"}, {"'abc'", title("abc")}, {"'abc'", []byte("abc")}, {"'abc'", raw("abc")},
		{"'abc'", any("abc")}, {"'abc'", ptr("abc")}, {"'abc'", upper("ABC")}, {"'abc'", ptr(upper("ABC"))}, {"''", ""}, {"''", []byte{}},
		{"x'0001'", []byte{0, 1}}, {"x'0001'", any([]byte{0, 1})}, {"x'6162'", "ab"}, {"x''", []byte{}},
		{"1", true}, {"0", false}, {"'true'", true}, {"'f'", false},
		{"NULL", []byte(nil)}, {"NULL", raw(nil)}, {"NULL", any(nil)}, {"NULL", (*int)(nil)}, {"NULL", (*title)(nil)}, {"NULL", (**int)(nil)}, {"NULL", (*time.Time)(nil)},
		{"NULL", sql.NullInt64{}}, {"42", sql.NullInt64{Int64: 42, Valid: true}}, {"'abc'", sql.NullString{String: "abc", Valid: true}},
		{"42", sql.Null[int]{V: 42, Valid: true}}, {"NULL", sql.Null[int]{}},
		{"'2026-11-21 13:14:15'", when}, {"'2026-11-21T13:14:15Z'", when}, {"'2026-11-21'", when.Truncate(24 * time.Hour)},
		{"1795266855", when}, {"julianday('2026-11-21 13:14:15')", when}, {"'2026-11-21 13:14:15'", ptr(when)}, {"'2026-11-21 13:14:15'", moment(when)},
		{"'2026-11-21 13:14:15'", sql.NullTime{Time: when, Valid: true}}, {"1795266855", sql.Null[time.Time]{V: when, Valid: true}}, {"NULL", sql.NullTime{}},
	} {
		row := c.QueryRow("SELECT " + tc.sql)
		got := reflect.New(reflect.TypeFor[any]())
		if tc.want != nil {
			got = reflect.New(reflect.TypeOf(tc.want))
		}
		if err := row.Scan(got.Interface()); err != nil || !reflect.DeepEqual(got.Elem().Interface(), tc.want) {
			t.Errorf("%s into %T: %#v, want %#v (%v)", tc.sql, tc.want, got.Elem().Interface(), tc.want, err)
		}
	}
}

func TestScanErrors(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, tc := range []struct {
		sql  string
		dest any
		want string
	}{
		{"NULL AS n", new(int), `scan column 1 "n" into *int: it is NULL: use a pointer`}, {"NULL", new(string), "it is NULL"}, {"NULL", new(time.Time), "it is NULL"},
		{"NULL", new(age), "it is NULL"}, {"1.5", new(int), `the real "1.5" is no integer`}, {"1e300", new(int64), "is no integer"}, {"'abc'", new(int), `the text "abc" is no integer`},
		{"'12abc'", new(uint8), "is no integer"}, {"'abc'", new(float64), "is no number"}, {"300", new(int8), "300 is out of its range"}, {"-1", new(uint), "-1 is out of its range"},
		{"200", new(age), "out of its range"}, {"2", new(bool), `the integer "2" is no bool`}, {"'yes'", new(bool), "is no bool"}, {"'soon'", new(time.Time), `the text "soon" is no time`},
		{"-1.0", new(time.Time), "is no time"}, {"1", new(chan int), "a column cannot become that"}, {"1", new([]int), "a column cannot become that"}, {"1", 5, "into int: a pointer is needed"},
		{"1", (*int)(nil), "a pointer is needed"}, {"1", (*age)(nil), "a pointer is needed"}, {"NULL", 5, "a pointer is needed"}, {"1", new(upper), "upper: a int64"},
		{"1", new(struct{ A int }), "a column cannot become that"},
	} {
		if d, isInt := tc.dest.(*int); isInt && d == nil {
			continue // its own test below
		}
		if err := c.QueryRow("SELECT " + tc.sql).Scan(tc.dest); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s into %T: %v, want %q", tc.sql, tc.dest, err, tc.want)
		}
	}
	var n int
	row := c.QueryRow("SELECT 1, 2")
	if err := row.Scan(&n); err == nil || !strings.Contains(err.Error(), "1 destination for 2 columns") {
		t.Error(err)
	}
	if err := c.QueryRow("SELECT 1 WHERE 0").Scan(&n); !errors.Is(err, ErrNoRows) {
		t.Error(err)
	}
	if err := c.QueryRow("SELECT 1 WHERE 0").ScanStruct(&struct{}{}); !errors.Is(err, ErrNoRows) {
		t.Error(err)
	}
	if err := c.QueryRow("SELECT 1 WHERE 0").ScanInto(&n); !errors.Is(err, ErrNoRows) {
		t.Error(err)
	}
}

func TestScanKeepsNothingOfTheConnection(t *testing.T) {
	t.Parallel()
	c := open(t)
	var texts []string
	var blobs [][]byte
	for row, err := range c.Query("SELECT 'text ' || i, CAST('blob ' || i AS BLOB) FROM (" + numbers + ")") {
		var text string
		var blob []byte
		if err != nil || row.Scan(&text, &blob) != nil {
			t.Fatal(err)
		}
		texts, blobs = append(texts, text), append(blobs, blob)
	}
	c.Close()
	for i := range texts {
		if texts[i] != fmt.Sprint("text ", i+1) || !bytes.Equal(blobs[i], fmt.Append(nil, "blob ", i+1)) {
			t.Fatalf("row %d is %q %q", i+1, texts[i], blobs[i])
		}
	}
}

type Stamps struct {
	CreatedAt time.Time
	UpdatedAt *time.Time `db:"changed"`
}

type Owner struct{ OwnerName string }

type account struct {
	ID      int64
	Name    string `db:"full_name"`
	Balance float64
	Secret  string `db:"-"`
	note    string
	Stamps
	*Owner
	Born sql.NullTime
}

func TestScanStruct(t *testing.T) {
	t.Parallel()
	c := open(t)
	const q = `SELECT 7 AS id, 'Ann' AS FULL_NAME, 1.5 AS balance, '2026-01-02' AS created_at, NULL AS Changed, 'Bob' AS owner_name, '2000-01-01' AS born`
	for range 3 { // the plan is made once
		a := account{Secret: "kept", note: "kept"}
		if err := c.QueryRow(q).ScanStruct(&a); err != nil {
			t.Fatal(err)
		}
		if a.ID != 7 || a.Name != "Ann" || a.Balance != 1.5 || a.CreatedAt.Year() != 2026 || a.UpdatedAt != nil || a.Owner == nil || a.OwnerName != "Bob" ||
			a.Born.Time.Year() != 2000 || a.Secret != "kept" || a.note != "kept" {
			t.Errorf("%+v", a)
		}
	}
	type hides struct {
		Stamps
		CreatedAt int
	}
	var h hides
	if err := c.QueryRow("SELECT 5 AS created_at").ScanStruct(&h); err != nil || h.CreatedAt != 5 || !h.Stamps.CreatedAt.IsZero() {
		t.Errorf("the outer field does not hide the inner: %+v, %v", h, err)
	}
	type part struct{ ID int64 }
	var p part
	var a account
	for range 2 { // one statement, two types in turn
		if err := c.QueryRow("SELECT 9 AS id").ScanStruct(&p); err != nil || p.ID != 9 {
			t.Error(p, err)
		}
		if err := c.QueryRow("SELECT 9 AS id").ScanStruct(&a); err != nil || a.ID != 9 {
			t.Error(a, err)
		}
	}
}

// A cached statement whose columns changed needs a new plan.
func TestScanStructAfterAChangeOfTheSchema(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE t(name)")
	mustExec(t, c, "INSERT INTO t VALUES ('Ann')")
	var v struct{ Name, City string }
	for range 2 {
		if err := c.QueryRow("SELECT * FROM t").ScanStruct(&v); err != nil || v.Name != "Ann" {
			t.Fatal(v, err)
		}
	}
	mustExec(t, c, "CREATE TABLE u(city, name); INSERT INTO u VALUES ('Bern', 'Bob'); DROP TABLE t; ALTER TABLE u RENAME TO t")
	for row, err := range c.Query("SELECT * FROM t") {
		if err != nil || row.ScanStruct(&v) != nil || v.Name != "Bob" || v.City != "Bern" {
			t.Fatal(v, err)
		}
	}
}

func TestScanStructErrors(t *testing.T) {
	t.Parallel()
	c := open(t)
	type twice struct {
		A int `db:"x"`
		B int `db:"X"`
	}
	type loosely struct{ AB, A_B int }
	type unexported struct{ *embedded }
	for _, tc := range []struct {
		sql  string
		dest any
		want string
	}{
		{"1 AS id, 2 AS town", new(account), `scan column 2 "town": sqlite.account has no field for it`}, {"1 AS secret", new(account), "has no field"},
		{"1 AS note", new(account), "has no field"}, {"1 AS name", new(account), "has no field"}, {"1", new(account), `tag a field ` + "`db:\"1\"`"},
		{"1 AS id, 2 AS id", new(account), "column 1 goes into the same field"}, {"'x' AS id", new(account), `scan column 1 "id" into sqlite.account.ID (int64): the text "x" is no integer`},
		{"NULL AS created_at", new(account), "sqlite.account.CreatedAt (time.Time): it is NULL"}, {"1 AS x", new(twice), "more than one field"}, {"1 AS ab", new(loosely), "more than one field"},
		{"1 AS id", account{}, "a pointer to a struct is needed"}, {"1 AS id", new(int), "a pointer to a struct is needed"}, {"1 AS id", (*account)(nil), "a pointer to a struct is needed"},
		{"1 AS inner", new(unexported), "embedded pointer that is nil and not exported"},
	} {
		if err := c.QueryRow("SELECT " + tc.sql).ScanStruct(tc.dest); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s into %T: %v, want %q", tc.sql, tc.dest, err, tc.want)
		}
	}
}

type embedded struct{ Inner int }

func TestScanInto(t *testing.T) {
	t.Parallel()
	c := open(t)
	var n int
	var a account
	var p *account
	var when time.Time
	var null sql.NullInt64
	row := c.QueryRow("SELECT 1795266855 AS id")
	for _, dest := range []any{&n, &a, &p, &when, &null} {
		if err := row.ScanInto(dest); err != nil {
			t.Errorf("%T: %v", dest, err)
		}
	}
	if n != 1795266855 || a.ID != int64(n) || p == nil || p.ID != int64(n) || when.Year() != 2026 || null.Int64 != int64(n) {
		t.Error(n, a, p, when, null)
	}
	if err := c.QueryRow("SELECT 1, 2").ScanInto(&n); err == nil || !strings.Contains(err.Error(), "2 columns") {
		t.Error(err)
	}
	if err := row.ScanInto(n); err == nil || !strings.Contains(err.Error(), "a pointer is needed") {
		t.Error(err)
	}
}

// A time written as an argument comes back; SQLite reads it as the same time.
func FuzzScanTime(f *testing.F) {
	f.Add(int64(1795266855), int64(123456789), 3600, "2026-11-21 13:14:15.5+01:00")
	for _, s := range []string{"", "2026-11-21", "2026-11-21 13:14", "2026-11-21T13:14Z", "2026-11-21 13:14-07:00", "2026-02-30", "0000-01-01", "9999-12-31T23:59:59.999999999Z",
		"2026-11-21 13:14:15,5", "2026-11-21 24:00:00", "2026-11-21x13:14", "2026-11-21 13:14:15.", "2026-11-21 13:14:15.123456789012", "13:14:15", "2026-11-21 1:2:3", "2026-11-21 13:14+1:00"} {
		f.Add(int64(0), int64(0), 0, s)
	}
	c := open(f)
	f.Fuzz(func(t *testing.T, sec, nsec int64, offset int, text string) {
		if when := time.Unix(sec, nsec).In(time.FixedZone("", offset%50400/60*60)); when.Year() >= 0 && when.Year() <= 9999 {
			var got time.Time
			if err := c.QueryRow("SELECT ?", when).Scan(&got); err != nil || !got.Equal(when) {
				t.Errorf("%v came back as %v: %v", when, got, err)
			}
			for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
				if got, err := parseTime(when.UTC().Format(layout)); err != nil || !got.Equal(when) {
					t.Errorf("%s was read as %v: %v", when.UTC().Format(layout), got, err)
				}
			}
		}
		got, err := parseTime(text)
		row := c.QueryRow("SELECT unixepoch(?, 'subsec')", text)
		if row.Err() != nil || err != nil || row.IsNull(0) {
			return // one of the two takes no such text
		}
		if want := row.Float64(0); math.Abs(float64(got.UnixMilli())/1000-want) > 0.0011 {
			t.Errorf("%q was read as %v, which SQLite has %v seconds off", text, got, want-float64(got.Unix()))
		}
	})
}

func BenchmarkScan(b *testing.B) {
	c := open(b)
	type item struct {
		ID        int64
		Name      string
		CreatedAt time.Time
	}
	query := "SELECT i AS id, 'pad' AS name, '2026-11-21 13:14:15' AS created_at FROM (" + numbers + ")"
	for name, f := range map[string]func(row Row, v *item) error{
		"struct":  func(row Row, v *item) error { return row.ScanStruct(v) },
		"columns": func(row Row, v *item) error { return row.Scan(&v.ID, &v.Name, &v.CreatedAt) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var v item
			for b.Loop() {
				for row, err := range c.Query(query) {
					if err != nil {
						b.Fatal(err)
					}
					if err := f(row, &v); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/row")
		})
	}
}
