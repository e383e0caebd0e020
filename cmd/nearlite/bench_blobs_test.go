package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestBenchBlobsFlags(t *testing.T) {
	t.Parallel()
	defaults := BlobsCmd{DB: "blobs.db", Count: 100_000, Size: 10_000, Variance: 2000, Order: "random",
		API: []string{"sql", "unmapped", "store", "blob", "mmap"}, Rounds: 5}
	all := BlobsCmd{DB: "x.db", Count: 5, Size: 60, Variance: 7, PageSize: 8192, Order: "asc", API: []string{"sql", "mmap"}, Rounds: 2,
		Update: true, NoSync: true, Fsync: true, MultiTrans: true, Cold: true, Article: true, Sweep: true, JSON: "x.json"}
	for args, want := range map[string]BlobsCmd{
		"blobs": defaults,
		"blobs --db x.db --count 5 --size 60 --variance 7 --page-size 8192 --order asc --api sql,mmap --rounds 2 --update --nosync --fsync --multitrans --cold --article --sweep --json x.json": all,
	} {
		cmd, _, err := parseBench(t, strings.Fields(args)...)
		if err != nil {
			t.Errorf("%s: %v", args, err)
		} else if !reflect.DeepEqual(cmd.Blobs, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", args, cmd.Blobs, want)
		}
	}
}

func TestBenchReportFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]ReportCmd{
		"report a.json": {Files: []string{"a.json"}, Output: "bench.html"},
		"report a.json b.json -o - --svg pictures": {Files: []string{"a.json", "b.json"}, Output: "-", SVG: "pictures"},
	} {
		cmd, _, err := parseBench(t, strings.Fields(args)...)
		if err != nil {
			t.Errorf("%s: %v", args, err)
		} else if !reflect.DeepEqual(cmd.Report, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", args, cmd.Report, want)
		}
	}
	if _, _, err := parseBench(t, "report"); err == nil {
		t.Error("a report of no file")
	}
}
