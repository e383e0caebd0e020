package main

import (
	"testing"
	"time"
)

func TestParseLifetime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.Local)
	tests := map[string]time.Time{
		"90s":                   now.Add(90 * time.Second),
		"1h30m":                 now.Add(90 * time.Minute),
		"30d":                   now.AddDate(0, 0, 30),
		"2w":                    now.AddDate(0, 0, 14),
		"1y":                    now.Add(365 * 24 * time.Hour),
		"2030-01-31":            time.Date(2030, 1, 31, 0, 0, 0, 0, time.Local),
		"2030-01-31T10:00:00Z":  time.Date(2030, 1, 31, 10, 0, 0, 0, time.UTC),
		"2026-11-21":            {}, // over
		"0d":                    {},
		"-1d":                   {},
		"-5m":                   {},
		"1000y":                 {},
		"99999999999999999999d": {},
		"soon":                  {},
		"":                      {},
		"d":                     {},
	}
	for text, want := range tests {
		got, err := parseLifetime(text, now)
		if !got.Equal(want) || (err != nil) != want.IsZero() {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
}
