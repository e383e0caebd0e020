package s3

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Options{
		"s3://b":              {Bucket: "b"},
		"s3://b/":             {Bucket: "b"},
		"s3://b/p/q/":         {Bucket: "b", Prefix: "p/q"},
		"s3://b/a%20b%25/%C3": {Bucket: ""},
		"s3://b/a%20b%25+":    {Bucket: "b", Prefix: "a b%+"},
		"s3://b/p?endpoint=http://127.0.0.1:7070&region=us-east-1":       {Bucket: "b", Prefix: "p", Endpoint: "http://127.0.0.1:7070", Region: "us-east-1", PathStyle: true},
		"s3://b?endpoint=https%3A%2F%2Fx.example&path-style=false":       {Bucket: "b", Endpoint: "https://x.example"},
		"s3://b?path-style=true":                                         {Bucket: "b", PathStyle: true},
		"s3://b?checksum=sha256&readonly=true&probe=false&profile=x":     {Bucket: "b", Checksum: SHA256, ReadOnly: true, NoProbe: true, Profile: "x"},
		"s3://b?part-size=16MiB&uploads=8&timeout=1m30s&retry-for=500ms": {Bucket: "b", PartSize: 16 << 20, Uploads: 8, TryTimeout: 90 * time.Second, RetryFor: 500 * time.Millisecond},
		"s3://b?part-size=5242880":                                       {Bucket: "b", PartSize: 5 << 20},
		"s3://my.bucket-1/0/..a?probe=1":                                 {Bucket: "my.bucket-1", Prefix: "0/..a"},
	} {
		got, err := ParseURL(text)
		if want.Bucket == "" {
			if err == nil {
				t.Errorf("%s is %+v", text, got)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, not %+v: %v", text, got, want, err)
		}
	}
}

func TestBadURLs(t *testing.T) {
	t.Parallel()
	for text, say := range map[string]string{
		"":                                  "s3://BUCKET/PREFIX",
		"s3:b":                              "s3://BUCKET/PREFIX",
		"http://b/p":                        "s3://BUCKET/PREFIX",
		"s3://":                             "s3://BUCKET/PREFIX",
		"s3:///p":                           "s3://BUCKET/PREFIX",
		"s3://b/p#f":                        "s3://BUCKET/PREFIX",
		"s3://key:secret@b/p":               "do not belong in a URL",
		"s3://b/p/../q":                     `".."`,
		"s3://b//p//q":                      "two in a row",
		"s3://b/p?regoin=x":                 "endpoint, part-size, path-style, probe, profile, readonly, region",
		"s3://b?region=a&region=b":          "2 times",
		"s3://b?path-style=maybe":           "path-style",
		"s3://b?endpoint=127.0.0.1:7070":    "https://HOST:PORT",
		"s3://b?endpoint=ftp://x":           "https://HOST:PORT",
		"s3://b?endpoint=http://u:secret@x": "https://HOST:PORT",
		"s3://b?part-size=1KiB":             "5 MiB",
		"s3://b?part-size=x":                "16MiB",
		"s3://b?uploads=0x":                 "uploads",
		"s3://b?uploads=-1":                 "between 1 and 1000",
		"s3://b?timeout=-1s":                "500ms",
		"s3://b?timeout=0s":                 "500ms",
		"s3://b?checksum=md5":               "crc64nvme",
		"s3://b?a;b":                        "parameters",
	} {
		_, err := ParseURL(text)
		if err == nil || !strings.Contains(err.Error(), say) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: %v; it should say %q", text, err, say)
		}
	}
}

// FuzzParseURL: what is taken is a store's address, which says the same again.
func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"s3://b/p?endpoint=http://127.0.0.1:7070&region=us-east-1&path-style=true", "s3://b", "s3://b/a%20b?part-size=16MiB&uploads=8",
		"s3://b?timeout=1m&retry-for=2s&checksum=none&readonly=1&probe=0&profile=x", "s3://u:p@b", "s3://b/%2e%2e",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ParseURL(text)
		if err != nil {
			return
		}
		again, err := ParseURL(o.URL())
		if err != nil || !reflect.DeepEqual(o, again) {
			t.Errorf("%q is %+v, and its URL %q is %+v, %v", text, o, o.URL(), again, err)
		}
		if full, err := o.withDefaults(); err != nil || full.Bucket == "" || full.PartSize < minPart {
			t.Errorf("%q is %+v, %v", text, full, err)
		}
	})
}
