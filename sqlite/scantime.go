//go:build cgo

package sqlite

import (
	"errors"
	"math"
	"time"
)

// timeLayouts are the texts that stand for a time, each with and without a zone.
// time.Parse takes a fraction of the seconds by itself.
var timeLayouts = [...]string{
	"2006-01-02 15:04", "2006-01-02 15:04Z07:00",
	"2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04", "2006-01-02T15:04Z07:00",
	"2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00",
}

var errNoTime = errors.New("not a time")

// parseTime reads a date or a date and a time, with T or a blank in between; UTC
// where no zone is given.
func parseTime(s string) (time.Time, error) {
	if len(s) <= len("2006-01-02") {
		return time.Parse("2006-01-02", s)
	}
	n := len(s)
	if n < len("2006-01-02 15:04") {
		return time.Time{}, errNoTime
	}
	layout := 0
	if s[len("2006-01-02")] == 'T' {
		layout += 4
	}
	if n > len("2006-01-02 15:04") && s[len("2006-01-02 15:04")] == ':' {
		layout += 2
	}
	if s[n-1] == 'Z' || s[n-len("-07:00")] == '+' || s[n-len("-07:00")] == '-' {
		layout++
	}
	return time.Parse(timeLayouts[layout], s)
}

// The days of the Julian calendar's epoch and of its last, as SQLite has them.
const (
	julianUnix = 2440587.5
	julianMax  = 5373484.5
)

// time returns the time that a value stands for.
func (v *value) time() (time.Time, error) {
	switch Type(v.typ) {
	case Integer:
		return time.Unix(v.u, 0).UTC(), nil
	case Float:
		if day := math.Float64frombits(uint64(v.u)); day >= 0 && day < julianMax {
			return time.UnixMilli(int64(math.Round((day - julianUnix) * 86400e3))).UTC(), nil
		}
	default:
		if t, err := parseTime(v.view()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, v.isNo("time")
}
