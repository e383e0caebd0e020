package catalog

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/sqlite"
)

// makeSQLD lays out a directory as sqld does.
func makeSQLD(t *testing.T, namespaces ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data.sqld")
	for _, name := range append(namespaces, "../metastore") {
		if err := os.MkdirAll(filepath.Join(dir, "dbs", name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range namespaces {
		openSource(t, filepath.Join(dir, "dbs", name, "data"), "wal")
		os.WriteFile(filepath.Join(dir, "dbs", name, "wallog"), nil, 0o600)
	}
	meta, err := sqlite.Open(filepath.Join(dir, "metastore", "data"), sqlite.OpenReadWrite|sqlite.OpenCreate, "")
	if err != nil {
		t.Fatal(err)
	}
	defer meta.Close()
	// The messages are sqld 0.24.32's.
	if err := meta.Exec(`PRAGMA journal_mode = wal;
CREATE TABLE namespace_configs(namespace TEXT NOT NULL PRIMARY KEY, config BLOB NOT NULL);
INSERT INTO namespace_configs VALUES('shop', X'10011a056d6f76656420debe0150c096b10258006800');
INSERT INTO namespace_configs VALUES('Big_One', X'20c0ece9d9b6c13750c096b10258006800');`); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSQLDSources(t *testing.T) {
	t.Parallel()
	dir := makeSQLD(t, "default", "shop", "Big_One")
	at := func(name string) string { return filepath.Join(dir, "dbs", name, "data") }
	shop := Source{"shop", "shop", at("shop"), Config{MaxBytes: 24414 * 4096, BlockWrites: true, BlockReason: "moved"}}
	all := []Source{{"big_one", "Big_One", at("Big_One"), Config{}}, {Main, "default", at("default"), Config{}}, shop}
	for _, tt := range []struct {
		dir  string
		want []Source
	}{
		{dir, all},
		{filepath.Join(dir, "dbs"), all},
		{filepath.Join(dir, "dbs", "shop"), []Source{shop}},
		{filepath.Join(dir, "metastore"), nil},
		{at("shop"), nil},
		{t.TempDir(), nil},
		{filepath.Join(dir, "none"), nil},
	} {
		if got, err := SQLDSources(bg, tt.dir); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v", tt.dir, got, err)
		}
	}
	c := openTest(t, nil)
	for _, s := range all {
		if _, err := c.Import(bg, s.Name, s.Path, &ImportOptions{Replace: true, Config: &s.Config}); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		} else if got := get(t, c, s.Name); got != "x" {
			t.Errorf("%s has %q", s.Name, got)
		}
	}
}

func TestSQLDSourcesRefused(t *testing.T) {
	t.Parallel()
	_, err := SQLDSources(bg, makeSQLD(t, "a b", "shop", "SHOP", "Default-"))
	for _, want := range []string{`"a b"`, `"SHOP" and "shop" would both be called "shop"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

func FuzzSQLDConfig(f *testing.F) {
	f.Add([]byte("\x10\x01\x1a\x05moved\x20\xde\xbe\x01\x50\xc0\x96\xb1\x02\x58\x00\x68\x00"))
	f.Add([]byte("\x1a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseSQLDConfig(b)
	})
}
