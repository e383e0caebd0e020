package server

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/catalog"
)

func testSealer(t testing.TB) *sealer {
	t.Helper()
	s, err := newSealer([]byte("01234567890123456789012345678901"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBatonRoundTrip(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*baton{
		"zero":       {},
		"plain":      {stream: streamID{1}, seq: 7, caller: tokenID{2}, database: catalog.ID{3}},
		"busy":       {stream: streamID{1}, busy: true},
		"stored SQL": {seq: 1 << 31, stored: map[int32]string{0: "SELECT 1", -5: "", 1 << 30: strings.Repeat("x", 5000)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := testSealer(t)
			text := before.seal(b)
			// Another process with the same key file opens it, too.
			for _, s := range []*sealer{before, testSealer(t)} {
				got, err := s.open(text)
				if err != nil || !reflect.DeepEqual(got, b) {
					t.Errorf("got %+v, %v", got, err)
				}
			}
			if again := before.seal(b); again == text {
				t.Error("the same baton was sealed to the same text")
			}
		})
	}
}

func TestBatonForged(t *testing.T) {
	t.Parallel()
	s := testSealer(t)
	good := s.seal(&baton{stream: streamID{9}, stored: map[int32]string{1: "SELECT 1"}})
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for _, bit := range []byte{1, 0x80} {
			forged := append([]byte(nil), raw...)
			forged[i] ^= bit
			if _, err := s.open(base64.RawURLEncoding.EncodeToString(forged)); err != errBatonInvalid {
				t.Fatalf("byte %d changed: %v", i, err)
			}
		}
		if _, err := s.open(base64.RawURLEncoding.EncodeToString(raw[:i])); err != errBatonInvalid {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	other, err := newSealer([]byte("another key that is not the same"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.open(good); err != errBatonInvalid {
		t.Errorf("another server's key opens it: %v", err)
	}
	for _, text := range []string{"", "abc", "!", strings.Repeat("A", 1<<20), good + "A", good + "\n"} {
		if _, err := s.open(text); err != errBatonInvalid {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if n := len(s.others); n > sealersMax {
		t.Errorf("%d keys of other boots are kept", n)
	}
}

// Whatever is opened is refused, or seals to what opens to the same.
func FuzzBaton(f *testing.F) {
	s := testSealer(f)
	f.Add(s.seal(&baton{}), []byte{})
	f.Add(s.seal(&baton{stored: map[int32]string{1: "SELECT 1"}}), make([]byte, 53))
	f.Add("", append(make([]byte, 53), 0, 0, 0, 1, 0, 0, 0, 2, 'a'))
	f.Fuzz(func(t *testing.T, text string, plain []byte) {
		if b, err := s.open(text); err == nil {
			if again, err := s.open(s.seal(b)); err != nil || !reflect.DeepEqual(again, b) {
				t.Errorf("%+v became %+v, %v", b, again, err)
			}
		} else if err != errBatonInvalid {
			t.Errorf("%q: %v", text, err)
		}
		if b, err := parseBaton(plain); err == nil {
			if again, err := s.open(s.seal(b)); err != nil || !reflect.DeepEqual(again, b) {
				t.Errorf("%+v became %+v, %v", b, again, err)
			}
		}
	})
}

func TestBatonKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, err := batonKey(dir)
	if err != nil || len(key) != 32 {
		t.Fatalf("%x, %v", key, err)
	}
	if again, err := batonKey(dir); err != nil || string(again) != string(key) {
		t.Errorf("the second start has the key %x, %v", again, err)
	}
	path := filepath.Join(dir, "baton.key")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the key: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, key[:31], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := batonKey(dir); err == nil || !strings.Contains(err.Error(), "31 bytes") {
		t.Errorf("a key that is cut short: %v", err)
	}
}
