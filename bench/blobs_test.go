package bench

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// tinyBlobs is a run that is over at once.
func tinyBlobs(t *testing.T) Blobs {
	t.Helper()
	return Blobs{
		DB:       filepath.Join(t.TempDir(), "blobs.db"),
		Count:    60,
		Size:     3000,
		Variance: 1000,
		Order:    Random,
		APIs:     BlobAPIs,
		Rounds:   2,
		sparing:  true,
	}
}

func TestBlobsEveryWay(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Blobs){
		"read":             func(*Blobs) {},
		"ascending":        func(b *Blobs) { b.Order = Ascending },
		"descending":       func(b *Blobs) { b.Order = Descending },
		"overwrite":        func(b *Blobs) { b.Update = true },
		"without syncs":    func(b *Blobs) { b.Update, b.NoSync = true, true },
		"with syncs":       func(b *Blobs) { b.Update, b.Fsync = true, true },
		"transaction each": func(b *Blobs) { b.Update, b.MultiTrans = true, true },
		"equal sizes":      func(b *Blobs) { b.Variance = 0 },
		"large pages":      func(b *Blobs) { b.PageSize = 16384 },
		"one byte":         func(b *Blobs) { b.Size, b.Variance, b.Update = 1, 0, true },
		"one blob":         func(b *Blobs) { b.Count, b.Update = 1, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := tinyBlobs(t)
			change(&b)
			report, err := b.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			checkBlobsReport(t, report, b.Update)
		})
	}
}

func checkBlobsReport(t *testing.T, r *BlobsReport, update bool) {
	t.Helper()
	checkRatios(t, "read", r.ReadRatio)
	if update {
		checkRatios(t, "write", r.WriteRatio)
	} else if r.WriteRatio != nil {
		t.Errorf("a ratio of writes without writes: %v", r.WriteRatio)
	}
	for _, part := range r.Parts {
		if len(part.Series) != len(part.APIs)+len(BlobLayouts) {
			t.Errorf("%s: %d series", part.Name, len(part.Series))
		}
		for _, s := range part.Series {
			if len(s.Micros) != r.Settings.Rounds || len(s.CPUMicros) != r.Settings.Rounds || s.Median <= 0 {
				t.Errorf("%s, %s: %v", part.Name, s.Store, s.Micros)
			}
		}
	}
	if r.Disk.Database < r.Disk.Content || r.Disk.Files[Flat] < r.Disk.Content || r.Disk.Store < r.Disk.Content {
		t.Errorf("less disk than content: %+v", r.Disk)
	}
}

func checkRatios(t *testing.T, what string, r BlobRatios) {
	t.Helper()
	for _, api := range BlobAPIs {
		for _, layout := range BlobLayouts {
			if r[api][layout] <= 0 {
				t.Errorf("%s ratio of %s to %s: %v", what, api, layout, r[api][layout])
			}
		}
	}
}

// A second run uses what the first has left, and another one's blobs are refused.
func TestBlobsAreKept(t *testing.T) {
	t.Parallel()
	b := tinyBlobs(t)
	b.Update = true
	for range 2 {
		if _, err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for want, change := range map[string]func(*Blobs){
		"name another file":             func(b *Blobs) { b.Count++ },
		"it has 60 blobs of":            func(b *Blobs) { b.Size += 7 },
		"it has pages of 4096 bytes":    func(b *Blobs) { b.PageSize = 8192 },
		"blobs.db.flat has other blobs": func(b *Blobs) { change(t, newBlobNames(b.dir(Flat), Flat).of(59)) },
	} {
		other := b
		change(&other)
		if _, err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

func change(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("else"), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestBlobsArticle(t *testing.T) {
	t.Parallel()
	b := tinyBlobs(t)
	b.Article, b.Rounds, b.APIs = true, 1, []BlobAPI{BlobMapped, BlobUnmapped}
	if runtime.GOOS != "linux" {
		t.Skip("cold caches are measured on Linux")
	}
	report, err := b.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var charts []int
	cold := false
	for _, part := range report.Parts {
		charts = append(charts, part.Chart...)
		cold = cold || part.Cold && part.Series[0].Forgotten != ""
	}
	if slices.Sort(charts); !slices.Equal(charts, []int{1, 2, 3, 4, 5}) {
		t.Errorf("charts %v, want all five", charts)
	}
	if !cold {
		t.Error("no part with cold caches that says how they became cold")
	}
	if len(report.Sweep) != 11 || report.Sweep[0].Size != 1<<10 || report.Sweep[10].Size != 1<<20 || len(report.Crossover) != 2 {
		t.Errorf("sweep of %d sizes, crossovers %v", len(report.Sweep), report.Crossover)
	}
	if len(report.Disk.ByPage) != 7 {
		t.Errorf("%d page sizes", len(report.Disk.ByPage))
	}
	left, err := filepath.Glob(b.DB + ".*")
	if err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, want the flat files and the tree (%v)", left, err)
	}
	var out strings.Builder
	if err := report.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"chart 1, 2, 3", "chart 5", "files win, unmapped", "disk by page size", "1.0 MiB"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, &out)
		}
	}
}

func TestBlobsReportAsJSON(t *testing.T) {
	t.Parallel()
	b := tinyBlobs(t)
	b.Update = true
	report, err := b.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := asJSON(t, report)
	for _, name := range []string{"read_ratio", "write_ratio"} {
		for _, api := range BlobAPIs {
			for _, layout := range BlobLayouts {
				byAPI, _ := got[name].(map[string]any)[string(api)].(map[string]any)
				if ratio, ok := byAPI[string(layout)].(float64); !ok || ratio <= 0 {
					t.Errorf("%s.%s.%s is %v", name, api, layout, byAPI[string(layout)])
				}
			}
		}
	}
	checkMachineJSON(t, got)
}

func TestBlobsRefuse(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Blobs){
		"no path":           func(b *Blobs) { b.DB = "" },
		"0 blobs":           func(b *Blobs) { b.Count = 0 },
		"3000 ± 3000 bytes": func(b *Blobs) { b.Variance = 3000 },
		"up to a gigabyte":  func(b *Blobs) { b.Size = 2 << 30 },
		"0 rounds":          func(b *Blobs) { b.Rounds = 0 },
		"no way to":         func(b *Blobs) { b.APIs = nil },
		`no way to a blob "fuse"`: func(b *Blobs) {
			b.APIs = []BlobAPI{"fuse"}
		},
		`no order "shuffled"`: func(b *Blobs) { b.Order = "shuffled" },
		"choose one":          func(b *Blobs) { b.NoSync, b.Fsync = true, true },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			b := tinyBlobs(t)
			change(&b)
			if _, err := b.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one that says %q", err, want)
			}
		})
	}
}

func TestBlobsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b := tinyBlobs(t)
	b.Progress = func(string, int64, int64) { cancel() }
	if _, err := b.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

// What is measured is checked as well: a store that returns another blob's bytes
// ends the run.
func TestBlobsAreCompared(t *testing.T) {
	t.Parallel()
	b := tinyBlobs(t)
	set, err := b.make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run := &blobRun{blobSet: set}
	files := set.openFiles(Flat, BlobsPlan{})
	series := &BlobSeries{Store: string(Flat), place: string(Flat)}
	if err := run.verify(t.Context(), series, files, ascending(b.Count)); err != nil {
		t.Errorf("as written: %v", err)
	}
	if err := overwriteFile(files.names.raw(7), bytes.Repeat([]byte{1}, set.sizeOf(7)), false); err != nil {
		t.Fatal(err)
	}
	if err := run.verify(t.Context(), series, files, ascending(b.Count)); err == nil || !strings.Contains(err.Error(), "blob 7 is not what was written") {
		t.Errorf("with other bytes: %v", err)
	}
	if err := overwriteFile(files.names.raw(7), make([]byte, 9000), false); err != nil {
		t.Fatal(err)
	}
	if _, err := files.read(t.Context(), []int{7}, nil); err == nil || !strings.Contains(err.Error(), "more than any blob") {
		t.Errorf("with more bytes: %v", err)
	}
}

func TestBlobNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		layout BlobLayout
		key    int
		want   string
	}{
		{Flat, 0, "d/000000"}, {Flat, 1234, "d/001234"}, {Flat, 999_999, "d/999999"}, {Flat, 1_234_567, "d/01234567"},
		{Tree, 0, "d/00/00/00"}, {Tree, 123_456, "d/12/34/56"}, {Tree, 1_234_567, "d/0123/45/67"},
	} {
		names := newBlobNames("d", test.layout)
		if got := names.of(test.key); got != test.want {
			t.Errorf("%s %d: %s, want %s", test.layout, test.key, got, test.want)
		}
		if raw := names.raw(test.key); string(raw) != test.want+"\x00" {
			t.Errorf("%s %d: %q", test.layout, test.key, raw)
		}
	}
}

func TestMedianAndQuotients(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v: %v, want %v", test.values, got, test.want)
		}
	}
	if got := quotients([]float64{10, 30}, []float64{5, 10}); !slices.Equal(got, []float64{2, 3}) {
		t.Errorf("quotients %v", got)
	}
}

// A round in which the whole machine is slow must not change a ratio.
func TestRatioIsByRound(t *testing.T) {
	t.Parallel()
	r := &blobRun{plan: BlobsPlan{APIs: []BlobAPI{BlobUnmapped}}, series: []*BlobSeries{
		{Store: string(BlobUnmapped), Micros: []float64{2, 20, 2}},
		{Store: string(Flat), Micros: []float64{4, 40, 5}},
		{Store: string(Tree), Micros: []float64{6, 60, 6}},
	}}
	p := newBlobsPart(r)
	if got := []float64{p.Ratio[BlobUnmapped][Flat], p.Low[BlobUnmapped][Flat], p.High[BlobUnmapped][Flat], p.Ratio[BlobUnmapped][Tree]}; !slices.Equal(got, []float64{2, 2, 2.5, 3}) {
		t.Errorf("ratio, lowest, highest, tree: %v", got)
	}
}

func TestCrossover(t *testing.T) {
	t.Parallel()
	points := func(ratios ...float64) (points []SweepPoint) {
		for i, ratio := range ratios {
			points = append(points, SweepPoint{Size: 1024 << i, Ratio: BlobRatios{BlobUnmapped: {Flat: ratio}}})
		}
		return points
	}
	for _, test := range []struct {
		points []SweepPoint
		want   string
	}{
		{points(0.9, 0.8), "below 1.0 KiB"},
		{points(1.5, 1.2), "above 2.0 KiB"},
		{points(1.5, 1.2, 1.0, 0.5), "about 4.0 KiB"},
		{points(1.5, 0.9, 1.1, 0.9), "about 5.7 KiB"}, // noise before the last crossing
	} {
		if got := crossover(test.points, BlobUnmapped).String(); got != test.want {
			t.Errorf("%v: %s, want %s", test.points, got, test.want)
		}
	}
}

func TestDiskUsageCountsBlocks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	change(t, path)
	if err := syncFileSystem(path); err != nil {
		t.Fatal(err)
	}
	one, err := diskUsage(path)
	if err != nil || one < 4 {
		t.Errorf("%d bytes for a file of 4 (%v)", one, err)
	}
	if all, err := diskUsage(dir); err != nil || all < one {
		t.Errorf("%d bytes for a directory with a file of %d (%v)", all, one, err)
	}
	if _, err := diskUsage(filepath.Join(dir, "y")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a file that is not there: %v", err)
	}
}
