package sqldriver

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
)

func TestParse(t *testing.T) {
	t.Parallel()
	type opts = nearlite.Options
	tests := map[string]struct {
		path string
		opts opts
	}{
		"app.db":                                            {"app.db", opts{}},
		":memory:":                                          {":memory:", opts{}},
		"file::memory:":                                     {":memory:", opts{}},
		"/var/lib/a b.db":                                   {"/var/lib/a b.db", opts{}},
		"100%.db":                                           {"100%.db", opts{}},
		"file:a%20b%3f.db":                                  {"a b?.db", opts{}},
		"file:/var/a.db":                                    {"/var/a.db", opts{}},
		"file:///var/a.db?":                                 {"/var/a.db", opts{}},
		"file://localhost/var/a.db":                         {"/var/a.db", opts{}},
		"a.db?durability=normal":                            {"a.db", opts{Durability: nearlite.Normal}},
		"a.db?durability=full&":                             {"a.db", opts{}},
		"file:a.db?readonly=true&mustexist=1":               {"a.db", opts{ReadOnly: true, MustExist: true}},
		"a.db?foreignkeys=off":                              {"a.db", opts{NoForeignKeys: true}},
		"a.db?foreignkeys=on":                               {"a.db", opts{}},
		"a.db?cachesize=64MiB&walbytes=1GB":                 {"a.db", opts{CacheSize: 64 << 20, MaxWALBytes: 1e9}},
		"a.db?readercachesize=4096&pagesize=512":            {"a.db", opts{ReaderCacheSize: 4096, PageSize: 512}},
		"a.db?mmapsize=off":                                 {"a.db", opts{MmapSize: -1}},
		"a.db?mmapsize=1TiB":                                {"a.db", opts{MmapSize: 1 << 40}},
		"a.db?busytimeout=1m&snapshotage=90s":               {"a.db", opts{BusyTimeout: time.Minute, MaxSnapshotAge: 90 * time.Second}},
		"a.db?queuemax=10&maxreaders=3":                     {"a.db", opts{QueueMax: 10, MaxReaders: 3}},
		"a.db?leaseidle=1s&leasecontended=2s&leasetotal=3s": {"a.db", opts{LeaseIdle: time.Second, LeaseContended: 2 * time.Second, LeaseTotal: 3 * time.Second}},
		"a.db?checkpointbytes=1MiB&maxclosure=5ms&vfs=unix": {"a.db", opts{CheckpointBytes: 1 << 20, MaxClosure: 5 * time.Millisecond, VFS: "unix"}},
	}
	for dsn, test := range tests {
		s, err := parse(dsn)
		if err != nil || s.path != test.path || !reflect.DeepEqual(s.opts, test.opts) {
			t.Errorf("%s: got %q %+v, %v", dsn, s.path, s.opts, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"":                           "names no file",
		"?durability=full":           "names no file",
		"file:":                      "names no file",
		"a\x00.db":                   "names no file",
		"file:%00":                   "names no file",
		"file:a%2":                   "invalid URL escape",
		"file://server/a.db":         "file:///path",
		"a.db?cache=shared":          `unknown option "cache"; known are durability, readonly`,
		"a.db?Durability=full":       "unknown option",
		"a.db?durability=lots":       "full or normal",
		"a.db?durability":            "full or normal",
		"a.db?readonly=perhaps":      "true or false",
		"a.db?pagesize=1000":         "power of two",
		"a.db?cachesize=64 MiB":      "64MiB",
		"a.db?cachesize=-1":          "above 0",
		"a.db?cachesize=9000000TiB":  "above 0",
		"a.db?mmapsize=0":            "off or a size",
		"a.db?busytimeout=5":         "500ms or 5s",
		"a.db?busytimeout=0s":        "above 0",
		"a.db?queuemax=0":            "above 0",
		"a.db?maxreaders=x":          "above 0",
		"a.db?vfs=":                  "name a VFS",
		"a.db?readonly=1&readonly=0": "twice",
		"a.db?readonly=%zz":          "invalid URL escape",
	} {
		if s, err := parse(dsn); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want %q in it", dsn, s, err, want)
		}
	}
}

// Every option has a field of its own, and every field of the engine that text can
// say has an option.
func TestEveryOptionCounts(t *testing.T) {
	t.Parallel()
	values := map[string]string{"durability": "normal", "readonly": "true", "mustexist": "true", "pagemap": "true", "foreignkeys": "off", "pagesize": "8192", "vfs": "unix",
		"queuemax": "7", "maxreaders": "7"}
	var all []string
	for _, o := range options {
		value := values[o.name]
		if value == "" {
			value = "7s"
			if strings.Contains(o.name, "size") || strings.Contains(o.name, "bytes") {
				value = "7kB"
			}
		}
		all = append(all, o.name+"="+value)
	}
	s, err := parse("a.db?" + strings.Join(all, "&"))
	if err != nil {
		t.Fatal(err)
	}
	fields := reflect.ValueOf(s.opts)
	for i := range fields.NumField() {
		switch name := fields.Type().Field(i).Name; name {
		case "OnConnect", "Logger", "Log", "LogDelay", "LogLag", "Limits": // for those who open databases for others
		default:
			if fields.Field(i).IsZero() {
				t.Errorf("no option sets %s", name)
			}
		}
	}
}

func FuzzDSN(f *testing.F) {
	for _, dsn := range []string{"a.db", "file:///a%20b?readonly=1&cachesize=64MiB", ":memory:?busytimeout=5s", "file:a#b?vfs=%26", "?&=", "file://h/%zz"} {
		f.Add(dsn)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		s, err := parse(dsn)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error says nothing")
			}
			return
		}
		again, err := parse(s.String())
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%q reads as %+v, its name %q as %+v, %v", dsn, s, s, again, err)
		}
	})
}
