package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func TestRange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		offset, length, size, from, to int64 // from -1: ErrRange
	}{
		{0, 0, 0, 0, 0}, {0, 0, 10, 0, 10}, {3, 0, 10, 3, 10}, {3, 4, 10, 3, 7}, {3, 7, 10, 3, 10}, {3, math.MaxInt64, 10, 3, 10},
		{-3, 0, 10, 7, 10}, {-3, 2, 10, 7, 9}, {-30, 0, 10, 0, 10}, {math.MinInt64, 1, 10, 0, 1},
		{10, 0, 10, -1, 0}, {math.MaxInt64, 1, 10, -1, 0}, {0, 1, 0, -1, 0}, {-1, 0, 0, -1, 0}, {0, -1, 10, -1, 0},
	} {
		from, to, err := Range{test.offset, test.length}.In(test.size)
		if test.from < 0 {
			if !errors.Is(err, ErrRange) {
				t.Errorf("%+v: %d to %d, %v", test, from, to, err)
			}
		} else if from != test.from || to != test.to || err != nil {
			t.Errorf("%+v: %d to %d, %v", test, from, to, err)
		}
	}
}

func TestContent(t *testing.T) {
	t.Parallel()
	text := []byte("some content")
	for name, c := range map[string]Content{
		"slice": Bytes(text), "sum": Bytes(text).WithSum(sha256.Sum256(text)),
		"stream": Stream(bytes.NewReader(text), int64(len(text))), "no size": Stream(bytes.NewReader(text), -1),
	} {
		if err := iotest.TestReader(c.Reader(t.Context()), text); err != nil && strings.HasPrefix(name, "s") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]Content{
		"short": Stream(bytes.NewReader(text), int64(len(text))+1), "long": Stream(bytes.NewReader(text), 3),
		"sum": Bytes(text).WithSum(Sum{}), "error": Stream(iotest.ErrReader(io.ErrUnexpectedEOF), -1),
	} {
		if _, err := io.ReadAll(c.Reader(t.Context())); !errors.Is(err, ErrContent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := io.ReadAll(Bytes(text).Reader(ctx)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// An error says what, which object, where, why, and what to do, each once.
func TestError(t *testing.T) {
	t.Parallel()
	cause := errors.New("no route to host")
	for want, err := range map[string]*Error{
		"get a/b in s3://x: there is no such object":                                   {Op: "get", Key: "a/b", Store: "s3://x", Kind: ErrNotExist},
		`get "a b" in s3://x: the storage is unavailable: no route to host; try later`: {Op: "get", Key: "a b", Store: "s3://x", Kind: ErrUnavailable, Err: cause, Remedy: "try later"},
		"open s3://x: no route to host":                                                {Op: "open", Store: "s3://x", Err: cause},
		"open s3://x: there is no such object, really":                                 {Op: "open", Store: "s3://x", Kind: ErrNotExist, Err: fmt.Errorf("%w, really", ErrNotExist)},
	} {
		var key *KeyError
		if err.Error() != want || err.Err != nil && !errors.Is(err, err.Err) || err.Kind != nil && !errors.Is(err, err.Kind) || errors.As(err, &key) {
			t.Errorf("%v, not %s", err, want)
		}
	}
	if !errors.Is(&Error{Kind: ErrExist}, fs.ErrExist) || errors.Is(&Error{Kind: ErrExist}, ErrNotExist) {
		t.Error("sentinels are mixed up")
	}
}

// FuzzKey: a key that is taken is a path below the place where it is kept, stays
// what it is in a terminal, and is made of prefixes.
func FuzzKey(f *testing.F) {
	for _, key := range []string{"a", "a/b", "", "/", "..", "a/../b", "a//b", "日本/ü", "a\x00", "\xff", Reserved, "a\\b", "a/.", strings.Repeat("x/", 300)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		err := CheckKey(key)
		if err != nil {
			if !errors.Is(err, ErrBadKey) || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\x00\n\x1b") {
				t.Errorf("%q: %v", key, err)
			}
			return
		}
		if !fs.ValidPath(key) || key == "." || len(key) > MaxKey || strings.ContainsAny(key, "\x00\n\r\x1b\\") {
			t.Errorf("%q is taken for a key", key)
		}
		for i := range key {
			if err := CheckPrefix(key[:i]); err != nil {
				t.Errorf("%q begins %q, and %v", key[:i], key, err)
			}
		}
	})
}
