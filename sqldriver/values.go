package sqldriver

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"strings"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// argument turns a value into one the engine takes.
func argument(v any) (any, error) {
	switch v := v.(type) {
	case nil, int64, float64, bool, string, []byte, time.Time, sqlite.ZeroBlob:
		return v, nil
	case int:
		return int64(v), nil
	}
	return driver.DefaultParameterConverter.ConvertValue(v)
}

// checkNamed is the work of driver.NamedValueChecker.
func checkNamed(nv *driver.NamedValue) (err error) {
	if named, ok := nv.Value.(sqlite.NamedArg); ok {
		nv.Name, nv.Value = strings.TrimLeft(named.Name, ":@$"), named.Value
	}
	nv.Value, err = argument(nv.Value)
	return err
}

// arguments turns checked arguments into the engine's.
func arguments(list []driver.NamedValue) []any {
	if len(list) == 0 {
		return nil
	}
	args := make([]any, len(list))
	for i, nv := range list {
		args[i] = nv.Value
		if nv.Name != "" {
			args[i] = sqlite.Named(nv.Name, nv.Value)
		}
	}
	return args
}

// kind is what a column's declared type makes of its values.
type kind int

const (
	plain kind = iota
	instant
	boolean
)

// declared returns the declared type in capitals without its parameters.
func declared(declType string) string {
	name, _, _ := strings.Cut(declType, "(")
	return strings.ToUpper(strings.TrimSpace(name))
}

func kindOf(declType string) kind {
	if declType == "" {
		return plain
	}
	switch declared(declType) {
	case "DATE", "DATETIME", "TIMESTAMP":
		return instant
	case "BOOLEAN", "BOOL":
		return boolean
	}
	return plain
}

// convert returns a value as its column was declared, or as it is if it is
// nothing of the kind.
func (k kind) convert(v any) driver.Value {
	switch k {
	case instant:
		switch x := v.(type) {
		case string:
			if t, ok := parseTime(x); ok {
				return t
			}
		case int64:
			return unixTime(x)
		}
	case boolean:
		if x, ok := v.(int64); ok {
			return x != 0
		}
	}
	return v
}

// unixTime reads seconds since 1970, and milliseconds from where seconds would
// be beyond the year 33,000.
func unixTime(n int64) time.Time {
	if n > 1e12 || n < -1e12 {
		return time.UnixMilli(n).UTC()
	}
	return time.Unix(n, 0).UTC()
}

// timeFormats are the texts read as times, with a blank for the T between date
// and time and without the Z of UTC. Parsing accepts fractions behind any seconds.
var timeFormats = []string{
	"2006-01-02 15:04:05-07:00",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04-07:00",
	"2006-01-02 15:04",
	"2006-01-02",
}

// parseTime reads a text as a time; one without a zone is UTC.
func parseTime(s string) (time.Time, bool) {
	const date = len("2006-01-02")
	if len(s) < date {
		return time.Time{}, false
	}
	if len(s) > date && s[date] == 'T' {
		s = s[:date] + " " + s[date+1:]
	}
	s = strings.TrimSuffix(s, "Z")
	for _, format := range timeFormats {
		if t, err := time.ParseInLocation(format, s, time.UTC); err == nil {
			if _, offset := t.Zone(); offset == 0 {
				t = t.UTC()
			}
			return t, true
		}
	}
	return time.Time{}, false
}

// scanType returns the Go type that holds what a column of that declared type
// usually has in it, NULL among it. A column may hold anything all the same.
func scanType(declType string) reflect.Type {
	name := declared(declType)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(name, p) {
				return true
			}
		}
		return false
	}
	switch kindOf(declType) {
	case instant:
		return reflect.TypeFor[sql.NullTime]()
	case boolean:
		return reflect.TypeFor[sql.NullBool]()
	}
	switch { // the rules of https://sqlite.org/datatype3.html#determination_of_column_affinity
	case has("INT"):
		return reflect.TypeFor[sql.NullInt64]()
	case has("CHAR", "CLOB", "TEXT"):
		return reflect.TypeFor[sql.NullString]()
	case has("BLOB"):
		return reflect.TypeFor[[]byte]()
	case has("REAL", "FLOA", "DOUB"):
		return reflect.TypeFor[sql.NullFloat64]()
	}
	return reflect.TypeFor[any]()
}
