package token

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// pair returns a key for minting and its public half.
func pair(t testing.TB) (ed25519.PrivateKey, ed25519.PublicKey) {
	t.Helper()
	private, public, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeys(public)
	if err != nil {
		t.Fatal(err)
	}
	return key, keys[0]
}

func mint(t testing.TB, key ed25519.PrivateKey, claims *Claims) string {
	t.Helper()
	token, err := Mint(key, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// sign makes a token with any header and body.
func sign(key ed25519.PrivateKey, header, body string) string {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(body))
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed)))
}

const eddsa = `{"typ":"JWT","alg":"EdDSA"}`

func TestMintAndVerify(t *testing.T) {
	t.Parallel()
	private, public := pair(t)
	now := time.Now().Truncate(time.Second)
	tests := map[string]Claims{
		"all":         {Access: Write},
		"read only":   {Access: Read, Database: "orders", Expires: now.Add(time.Hour), NotBefore: now, IssuedAt: now},
		"permissions": {Access: Write, Permissions: &Permissions{Read: []string{"a", "b"}, Write: []string{"c"}, ReadAttach: []string{"d"}, WriteAttach: []string{"e"}}},
		"limits":      {Access: Write, Limits: &Limits{Rate: 2.5, Burst: 10, Streams: 3, Rows: 1000, Bytes: 1 << 20, Time: time.Second}},
	}
	for name, claims := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Fixed(public).Verify(mint(t, private, &claims))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, &claims) {
				t.Errorf("got %+v, want %+v", got, claims)
			}
		})
	}
	if _, err := Mint(private, &Claims{}); err == nil {
		t.Error("a token that allows nothing was minted")
	}
}

// TestSqldTokens reads claims as sqld's own tests have them.
func TestSqldTokens(t *testing.T) {
	t.Parallel()
	private, public := pair(t)
	tests := map[string]struct {
		body string
		want map[string]Access
	}{
		"full access":          {`{}`, map[string]Access{"main": Write, "x": Write}},
		"nothing but null":     {`{"id":null,"a":null,"p":null,"exp":null}`, map[string]Access{"main": Write}},
		"read only":            {`{"a":"ro"}`, map[string]Access{"main": Read, "x": Read}},
		"a namespace":          {`{"id":"foo","a":"rw"}`, map[string]Access{"foo": Write, "main": None, "": None}},
		"scopes alone count":   {`{"id":"foobar","a":"ro","p":{"rw":{"ns":["foo"]},"roa":{"ns":["bar"]}}}`, map[string]Access{"foo": Write, "bar": Read, "foobar": None}},
		"no scope is no right": {`{"p":{}}`, map[string]Access{"main": None}},
		"both scopes":          {`{"p":{"ro":{"ns":["x"]},"rwa":{"ns":["x"]}}}`, map[string]Access{"x": Write}},
		"foreign claims":       {`{"A":"ro","sub":"me","aud":["x"],"gid":7}`, map[string]Access{"main": Write}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims, err := Fixed(public).Verify(sign(private, eddsa, test.body))
			if err != nil {
				t.Fatal(err)
			}
			for database, want := range test.want {
				if got := claims.On(database); got != want {
					t.Errorf("%s: got %s, want %s", database, got, want)
				}
			}
			if got, want := claims.Everything(), name == "full access" || name == "nothing but null" || name == "foreign claims"; got != want {
				t.Errorf("everything: got %v", got)
			}
		})
	}
}

func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	private, public := pair(t)
	stranger, _ := pair(t)
	good := sign(private, eddsa, `{"a":"ro"}`)
	parts := strings.Split(good, ".")
	encoded := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	now := time.Unix(1_800_000_000, 0)
	tests := map[string]struct {
		token string
		want  *Error
	}{
		"nothing":               {"", ErrMissing},
		"a word":                {"abc", ErrInvalid},
		"two parts":             {parts[0] + "." + parts[1], ErrInvalid},
		"four parts":            {good + "." + parts[2], ErrInvalid},
		"another's key":         {sign(stranger, eddsa, `{}`), ErrInvalid},
		"other claims":          {parts[0] + "." + encoded(`{"a":"rw"}`) + "." + parts[2], ErrInvalid},
		"another header":        {encoded(`{"alg":"EdDSA"}`) + "." + parts[1] + "." + parts[2], ErrInvalid},
		"no algorithm":          {sign(private, `{"typ":"JWT"}`, `{}`), ErrInvalid},
		"algorithm none":        {encoded(`{"alg":"none"}`) + "." + parts[1] + ".", ErrInvalid},
		"algorithm HS256":       {sign(private, `{"alg":"HS256"}`, `{}`), ErrInvalid},
		"a critical extension":  {sign(private, `{"alg":"EdDSA","crit":["b64"],"b64":false}`, `{}`), ErrInvalid},
		"a padded signature":    {good + "==", ErrInvalid},
		"a signature's tail":    {good[:len(good)-1] + flip(good[len(good)-1]), ErrInvalid},
		"a short signature":     {good[:len(good)-4], ErrInvalid},
		"claims that are none":  {sign(private, eddsa, `[]`), ErrInvalid},
		"an unknown access":     {sign(private, eddsa, `{"a":"admin"}`), ErrInvalid},
		"a number for a name":   {sign(private, eddsa, `{"id":1}`), ErrInvalid},
		"an empty name":         {sign(private, eddsa, `{"id":""}`), ErrInvalid},
		"an expiry of text":     {sign(private, eddsa, `{"exp":"tomorrow"}`), ErrInvalid},
		"an expiry far away":    {sign(private, eddsa, `{"exp":1e300}`), ErrInvalid},
		"an unknown limit":      {sign(private, eddsa, `{"lim":{"cpu":1}}`), ErrInvalid},
		"a limit below zero":    {sign(private, eddsa, `{"lim":{"rows":-1}}`), ErrInvalid},
		"expired":               {sign(private, eddsa, `{"exp":1799999939}`), ErrExpired},
		"expired a moment ago":  {sign(private, eddsa, `{"exp":1799999940}`), nil},
		"not yet":               {sign(private, eddsa, `{"nbf":1800000061}`), ErrImmature},
		"in a moment":           {sign(private, eddsa, `{"nbf":1800000060}`), nil},
		"longer than any token": {sign(private, eddsa, `{"x":"`+strings.Repeat("x", sizeMax)+`"}`), ErrInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := Fixed(public)
			keys.now = func() time.Time { return now }
			for range 2 { // the second time it may be remembered
				_, err := keys.Verify(test.token)
				if test.want == nil && err == nil {
					continue
				}
				if !errors.Is(err, test.want) {
					t.Fatalf("got %v, want %v", err, test.want)
				}
			}
		})
	}
}

// flip returns another character that stands for the same six bits but the last.
func flip(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestBearer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		want string
		err  error
	}{
		"Bearer x":   {"x", nil},
		"bearer  x ": {"x", nil},
		"":           {"", ErrMissing},
		"Bearer ":    {"", ErrMissing}, // npm libsql, when it has none
		"Bearer":     {"", ErrMalformed},
		"Basic dTpw": {"", ErrScheme},
		"x.y.z":      {"", ErrMalformed},
	}
	for header, test := range tests {
		if got, err := Bearer(header); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%q: got %q, %v, want %q, %v", header, got, err, test.want, test.err)
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	private, public, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	keys, _ := ParseKeys(public)
	line := base64.RawURLEncoding.EncodeToString(keys[0])
	tests := map[string]struct {
		file string
		keys int
		err  string
	}{
		"PEM":                   {string(public), 1, ""},
		"PEM, two":              {string(public) + "\n" + string(other), 2, ""},
		"a line":                {line, 1, ""},
		"lines and remarks":     {"# ours\n" + line + "\n\n" + line + "=\n", 2, ""},
		"nothing":               {"", 0, "there is no key in it"},
		"remarks only":          {"# none\n", 0, "there is no key in it"},
		"a private key":         {string(private), 0, "holds a private key"},
		"a certificate":         {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0, "key 1 is a CERTIFICATE"},
		"a key of another kind": {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 0, "key 1 is not one of Ed25519"},
		"a cut one after it":    {string(public) + string(other[:40]), 0, "after key 1"},
		"a short line":          {line[:30], 0, "line 1"},
		"base64 not for URLs":   {strings.Repeat("+", 43), 0, "line 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, err := ParseKeys([]byte(test.file))
			if test.err == "" && (err != nil || len(keys) != test.keys) {
				t.Errorf("got %d keys, %v", len(keys), err)
			}
			if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
	for name, file := range map[string][]byte{"nothing": nil, "a public key": public, "rubbish": []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")} {
		if _, err := ParsePrivateKey(file); err == nil {
			t.Errorf("%s was taken for a private key", name)
		}
	}
}

// TestRotation changes the file under keys in use, with time in our hands.
func TestRotation(t *testing.T) {
	t.Parallel()
	oldPrivate, oldPublic := pair(t)
	newPrivate, newPublic := pair(t)
	path := filepath.Join(t.TempDir(), "keys")
	modified := time.Now()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		modified = modified.Add(time.Second) // whatever the file system's clock does
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	line := func(k ed25519.PublicKey) string { return base64.RawURLEncoding.EncodeToString(k) + "\n" }
	write(line(oldPublic))
	var logged bytes.Buffer
	keys, err := Load(path, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	keys.now = func() time.Time { return now }
	oldToken, newToken := mint(t, oldPrivate, &Claims{Access: Read}), mint(t, newPrivate, &Claims{Access: Read})
	expect := func(when string, old, new error) {
		t.Helper()
		if _, err := keys.Verify(oldToken); !errors.Is(err, old) {
			t.Errorf("%s: the old token: %v", when, err)
		}
		if _, err := keys.Verify(newToken); !errors.Is(err, new) {
			t.Errorf("%s: the new token: %v", when, err)
		}
	}
	expect("at first", nil, ErrInvalid)
	write(line(oldPublic) + line(newPublic))
	expect("within the second", nil, ErrInvalid)
	now = now.Add(lookEvery)
	expect("with both", nil, nil)
	write(line(newPublic))
	if err := keys.Reload(); err != nil {
		t.Fatal(err)
	}
	expect("with the new one alone", ErrInvalid, nil)

	write("rubbish")
	if err := keys.Reload(); err == nil {
		t.Error("rubbish was read")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		now = now.Add(lookEvery)
		expect("without a file", ErrInvalid, nil)
	}
	if n := strings.Count(logged.String(), "WARN"); n != 1 {
		t.Errorf("%d warnings of a file that has gone:\n%s", n, &logged)
	}
	write(line(oldPublic))
	now = now.Add(lookEvery)
	expect("with the old one again", nil, ErrInvalid)
	if _, err := Load(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestSeenIsBounded verifies more tokens than are remembered.
func TestSeenIsBounded(t *testing.T) {
	t.Parallel()
	s := newSeen()
	for i := range 3 * seenMax {
		s.add([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, &Claims{})
	}
	if n := len(s.fresh) + len(s.stale); n > 2*seenMax {
		t.Errorf("%d are remembered", n)
	}
}

// FuzzVerify gives anything to what reads tokens; with a signature that holds, so
// that the claims are reached.
func FuzzVerify(f *testing.F) {
	private, public := pair(f)
	f.Add(eddsa, `{"a":"ro","id":"x","exp":1,"nbf":2,"lim":{"rate":1.5,"time_ms":9223372036854775807}}`, "a.b.c")
	f.Add(eddsa, `{"p":{"ro":{"ns":["a"]},"rw":null}}`, "..")
	f.Fuzz(func(t *testing.T, header, body, token string) {
		keys := Fixed(public)
		if claims, err := keys.Verify(token); err == nil {
			t.Fatalf("nobody signed %q: %+v", token, claims)
		}
		claims, err := keys.Verify(sign(private, header, body))
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) {
				t.Fatalf("an error of another type: %v", err)
			}
			return
		}
		claims.On("main")
		if claims.Access == None {
			t.Fatalf("%q allows nothing", body)
		}
		again, err := keys.Verify(mint(t, private, claims))
		if err != nil || again.On("main") != claims.On("main") {
			t.Fatalf("%+v became %+v, %v", claims, again, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	private, public := pair(b)
	token := mint(b, private, &Claims{Access: Write, Database: "main"})
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if _, err := verify([]ed25519.PublicKey{public}, token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("again", func(b *testing.B) {
		keys := Fixed(public)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := keys.Verify(token); err != nil {
				b.Fatal(err)
			}
		}
	})
}
