package sqldriver

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
)

// source is a data source name, understood.
type source struct {
	path string
	opts nearlite.Options
	set  []string // the options as written, "name=value", sorted
}

// String returns a name that parses to the same source.
func (s source) String() string {
	path := "file:" + (&url.URL{Path: s.path}).EscapedPath()
	if strings.HasPrefix(s.path, "//") { // which would read as a host
		path = "file://" + strings.TrimPrefix(path, "file:")
	}
	if len(s.set) == 0 {
		return path
	}
	return path + "?" + strings.Join(s.set, "&")
}

// parse reads a data source name: a path as it is, or one behind file: with
// percent escapes, and options behind a question mark.
func parse(dsn string) (source, error) {
	var s source
	path, query, _ := strings.Cut(dsn, "?")
	if rest, uri := strings.CutPrefix(path, "file:"); uri {
		var err error
		if path, err = uriPath(rest); err != nil {
			return s, fmt.Errorf("data source %q: %w", dsn, err)
		}
	}
	if path == "" || strings.IndexByte(path, 0) >= 0 {
		return s, fmt.Errorf("data source %q: it names no file; write :memory:, file:path or a path", dsn)
	}
	s.path = path
	if err := s.options(query); err != nil {
		return s, fmt.Errorf("data source %q: %w", dsn, err)
	}
	return s, nil
}

// uriPath returns the path of a file: URI, relative or absolute.
func uriPath(rest string) (string, error) {
	rest, _, _ = strings.Cut(rest, "#")
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		host, path, found := strings.Cut(authority, "/")
		if !found || host != "" && host != "localhost" {
			return "", fmt.Errorf("a file: URI with the host %q; write file:///path", host)
		}
		rest = "/" + path
	}
	return url.PathUnescape(rest)
}

// options reads name=value pairs.
func (s *source) options(query string) error {
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return err
		}
		o := find(name)
		switch {
		case o == nil:
			return fmt.Errorf("unknown option %q; known are %s", name, known())
		case seen[name]:
			return fmt.Errorf("option %s is given twice", name)
		}
		seen[name] = true
		if err := o.set(&s.opts, value); err != nil {
			return fmt.Errorf("option %s=%s: %w", name, value, err)
		}
		s.set = append(s.set, name+"="+url.QueryEscape(value))
	}
	slices.Sort(s.set)
	return nil
}

// option is one option of a data source name.
type option struct {
	name string
	set  func(o *nearlite.Options, value string) error
}

var options = []option{
	{"durability", durability},
	{"readonly", flag(func(o *nearlite.Options, on bool) { o.ReadOnly = on })},
	{"mustexist", flag(func(o *nearlite.Options, on bool) { o.MustExist = on })},
	{"pagemap", flag(func(o *nearlite.Options, on bool) { o.PageMap = on })},
	{"foreignkeys", flag(func(o *nearlite.Options, on bool) { o.NoForeignKeys = !on })},
	{"pagesize", pageSize},
	{"cachesize", size(func(o *nearlite.Options) *int64 { return &o.CacheSize })},
	{"readercachesize", size(func(o *nearlite.Options) *int64 { return &o.ReaderCacheSize })},
	{"mmapsize", mmapSize},
	{"busytimeout", duration(func(o *nearlite.Options) *time.Duration { return &o.BusyTimeout })},
	{"queuemax", count(func(o *nearlite.Options) *int { return &o.QueueMax })},
	{"maxreaders", count(func(o *nearlite.Options) *int { return &o.MaxReaders })},
	{"snapshotage", duration(func(o *nearlite.Options) *time.Duration { return &o.MaxSnapshotAge })},
	{"walbytes", size(func(o *nearlite.Options) *int64 { return &o.MaxWALBytes })},
	{"checkpointbytes", size(func(o *nearlite.Options) *int64 { return &o.CheckpointBytes })},
	{"maxclosure", duration(func(o *nearlite.Options) *time.Duration { return &o.MaxClosure })},
	{"leaseidle", duration(func(o *nearlite.Options) *time.Duration { return &o.LeaseIdle })},
	{"leasecontended", duration(func(o *nearlite.Options) *time.Duration { return &o.LeaseContended })},
	{"leasetotal", duration(func(o *nearlite.Options) *time.Duration { return &o.LeaseTotal })},
	{"vfs", func(o *nearlite.Options, value string) error {
		if value == "" {
			return errors.New("name a VFS, or leave the option out")
		}
		o.VFS = value
		return nil
	}},
}

func find(name string) *option {
	for i := range options {
		if options[i].name == name {
			return &options[i]
		}
	}
	return nil
}

func known() string {
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = o.name
	}
	return strings.Join(names, ", ")
}

func durability(o *nearlite.Options, value string) error {
	switch value {
	case "full":
		o.Durability = nearlite.Full
	case "normal":
		o.Durability = nearlite.Normal
	default:
		return errors.New("it is full or normal")
	}
	return nil
}

func pageSize(o *nearlite.Options, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 512 || n > 65536 || n&(n-1) != 0 {
		return errors.New("it is a power of two from 512 to 65536")
	}
	o.PageSize = n
	return nil
}

func mmapSize(o *nearlite.Options, value string) error {
	if value == "off" {
		o.MmapSize = -1
		return nil
	}
	n, err := parseSize(value)
	if err != nil {
		return fmt.Errorf("it is off or %w", err)
	}
	o.MmapSize = n
	return nil
}

func flag(set func(*nearlite.Options, bool)) func(*nearlite.Options, string) error {
	return func(o *nearlite.Options, value string) error {
		switch value {
		case "true", "1", "on":
			set(o, true)
		case "false", "0", "off":
			set(o, false)
		default:
			return errors.New("it is true or false")
		}
		return nil
	}
}

func count(field func(*nearlite.Options) *int) func(*nearlite.Options, string) error {
	return func(o *nearlite.Options, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 {
			return errors.New("it is a number above 0")
		}
		*field(o) = n
		return nil
	}
}

func duration(field func(*nearlite.Options) *time.Duration) func(*nearlite.Options, string) error {
	return func(o *nearlite.Options, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return errors.New("it is a duration above 0, such as 500ms or 5s")
		}
		*field(o) = d
		return nil
	}
}

func size(field func(*nearlite.Options) *int64) func(*nearlite.Options, string) error {
	return func(o *nearlite.Options, value string) error {
		n, err := parseSize(value)
		if err != nil {
			return fmt.Errorf("it is %w", err)
		}
		*field(o) = n
		return nil
	}
}

// units of sizes, the longer names first.
var units = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

var errSize = errors.New("a size above 0 in bytes, or with a unit such as 64MiB or 64MB")

// parseSize reads a number of bytes.
func parseSize(value string) (int64, error) {
	unit := int64(1)
	for _, u := range units {
		if digits, ok := strings.CutSuffix(value, u.name); ok {
			value, unit = digits, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, errSize
	}
	return n * unit, nil
}
