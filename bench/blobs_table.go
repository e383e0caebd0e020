package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteTable prints the report for people.
func (r *BlobsReport) WriteTable(w io.Writer) error {
	t := table{w: w}
	s := r.Settings
	t.title("blobs: %s of %s, %s order, pages of %s, %d rounds", grouped(int64(s.Count)), s.sizes(), s.Order, size(int64(s.PageSize)), s.Rounds)
	for _, part := range r.Parts {
		t.part(part)
	}
	t.sweep(r)
	t.pages(r.Disk.ByPage)
	t.printf("\n")
	if r.Limit.Read > 0 {
		t.row("this machine", fmt.Sprintf("a system call %s; %s by one read %s, copied from a mapped file %s", duration(r.Limit.Call), size(int64(s.Size)), duration(r.Limit.Read), duration(r.Limit.Copy)))
	}
	t.row("disk", fmt.Sprintf("%s in the database, %s flat (%.1f %% less), %s as a tree (%.1f %% less), for %s of blobs", size(r.Disk.Database),
		size(r.Disk.Files[Flat]), r.Disk.Less[Flat], size(r.Disk.Files[Tree]), r.Disk.Less[Tree], size(r.Disk.Content)))
	if r.Disk.Store > 0 {
		t.row("", fmt.Sprintf("%s in the store of package blob, names and checksums included (%.1f %% less than flat)", size(r.Disk.Store), less(float64(r.Disk.Store), float64(r.Disk.Files[Flat]))))
	}
	t.machine(r.Machine, r.SQLite)
	return t.err
}

func (s BlobsSettings) sizes() string {
	if s.Variance == 0 {
		return grouped(int64(s.Size)) + " bytes"
	}
	return fmt.Sprintf("%s ± %s bytes", grouped(int64(s.Size)), grouped(int64(s.Variance)))
}

// part prints a comparison: a line for each store, and beside those of the
// database how many times faster it is.
func (t *table) part(p BlobsPart) {
	t.printf("\n%s%s: %s blobs a round%s\n", p.Name, p.charts(), grouped(int64(p.Count)), p.how())
	t.printf("  %-6s %10s %10s %22s %22s\n", "", "a blob", "processor", "files flat / database", "files tree / database")
	for _, series := range p.Series {
		t.printf("  %-6s %10s %10s", series.Store, duration(series.Median), duration(series.CPU))
		if api := BlobAPI(series.Store); slices.Contains(p.APIs, api) {
			for _, layout := range BlobLayouts {
				t.printf(" %22s", p.ratio(api, layout))
			}
		}
		if settle := median(series.Settle); settle > 0.01 {
			t.printf("   and %s a blob in the checkpoint", duration(settle))
		}
		t.printf("\n")
	}
}

// ratio writes a ratio with its spread.
func (p BlobsPart) ratio(api BlobAPI, layout BlobLayout) string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", p.Ratio[api][layout], p.Low[api][layout], p.High[api][layout])
}

func (p BlobsPart) charts() string {
	if len(p.Chart) == 0 {
		return ""
	}
	numbers := make([]string, len(p.Chart))
	for i, n := range p.Chart {
		numbers[i] = fmt.Sprint(n)
	}
	return " (the article's chart " + strings.Join(numbers, ", ") + ")"
}

// how says under which conditions.
func (p BlobsPart) how() string {
	var how []string
	switch {
	case p.Write && p.Sync == SyncFull:
		how = append(how, "on disk when it is over: fsync")
	case p.Write && p.JournalOff:
		how = append(how, "no journal, synchronous off")
	case p.Write:
		how = append(how, "WAL, synchronous "+string(p.Sync)+", files without fsync")
	}
	if p.MultiTrans {
		how = append(how, "each a transaction of its own")
	}
	if p.Cold {
		how = append(how, "forgotten before each round by "+p.Series[0].Forgotten)
	}
	if len(how) == 0 {
		return ""
	}
	return ", " + strings.Join(how, ", ")
}

func (t *table) sweep(r *BlobsReport) {
	if len(r.Sweep) == 0 {
		return
	}
	var apis []BlobAPI
	for _, api := range BlobAPIs {
		if _, ok := r.Crossover[api]; ok {
			apis = append(apis, api)
		}
	}
	t.printf("\nsweep: files flat / database, reads\n  %-10s", "")
	for _, api := range apis {
		t.printf(" %8s", api)
	}
	for _, p := range r.Sweep {
		t.printf("\n  %-10s", size(int64(p.Size)))
		for _, api := range apis {
			t.printf(" %8.2f", p.Ratio[api][Flat])
		}
	}
	t.printf("\n")
	for _, api := range apis {
		t.row("files win, "+string(api), r.Crossover[api].String())
	}
}

func (t *table) pages(usages []PageUsage) {
	if len(usages) == 0 {
		return
	}
	t.printf("\ndisk by page size: bytes a blob, and how much less than in files\n")
	t.printf("  %-10s %22s %26s\n", "", "as measured above", "all of the mean size")
	for _, u := range usages {
		t.printf("  %-10s %12s %7.1f %% %16s %7.1f %%\n", size(int64(u.PageSize)), grouped(int64(u.PerBlob)), u.Less, grouped(int64(u.EqualPerBlob)), u.EqualLess)
	}
}
