package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nearlite/nearlite/bench"
)

var apis = map[bench.BlobAPI]string{
	bench.BlobUnmapped: "View, not mapped",
	bench.BlobSQL:      "View",
	bench.BlobStore:    "package blob",
	bench.BlobHandle:   "blob handle, not mapped",
	bench.BlobMapped:   "blob handle, mapped",
}

func api(a bench.BlobAPI) string {
	if name := apis[a]; name != "" {
		return name
	}
	return clean(string(a))
}

func blobsSection(reports []*bench.BlobsReport) Section {
	s := Section{Title: "Blobs", Lead: "The same blobs in a database and in files of their own. A bar is the files' time divided by the database's: beyond the line at 1 the database is faster."}
	for i, r := range reports {
		s.Figures = append(s.Figures, blobFigures(r, suffix(i))...)
	}
	return s
}

// blobFigures are the plots of one report: reads with warm caches, overwrites,
// reads with cold ones, the sweep and the disk, as far as they were measured.
func blobFigures(r *bench.BlobsReport, suffix string) (figures []Figure) {
	kinds := []struct {
		name    string
		which   func(bench.BlobsPart) bool
		message func(bench.BlobsPart) string
	}{
		{"blobs-read", func(p bench.BlobsPart) bool { return !p.Write && !p.Cold }, readsMessage("Warm")},
		{"blobs-write", func(p bench.BlobsPart) bool { return p.Write }, writesMessage},
		{"blobs-cold", func(p bench.BlobsPart) bool { return p.Cold && !p.Write }, readsMessage("Cold")},
	}
	for _, kind := range kinds {
		var parts []bench.BlobsPart
		for _, p := range r.Parts {
			if kind.which(p) {
				parts = append(parts, p)
			}
		}
		if len(parts) == 0 {
			continue
		}
		b := ratioBars(parts)
		b.name, b.title = kind.name+suffix, kind.message(parts[0])
		figures = append(figures, Figure{Plot: b.plot(), Table: b.table(), Notes: blobNotes(r, parts)})
	}
	if len(r.Sweep) > 1 {
		figures = append(figures, sweepFigure(r, suffix))
	}
	if r.Disk.Database > 0 {
		figures = append(figures, diskFigure(r, suffix))
	}
	return figures
}

func ratioBars(parts []bench.BlobsPart) bars {
	b := bars{axis: "files' time ÷ database's time", unit: times, even: "as fast as files",
		legend: []entry{{"ours", "files in one flat directory"}, {"ours-light", "files in a tree"}}}
	for _, p := range parts {
		g := barGroup{title: partTitle(p)}
		for _, a := range p.APIs {
			for _, layout := range bench.BlobLayouts {
				bar := bar{label: api(a), name: api(a) + " against files, " + string(layout), class: "ours", half: 1,
					value: p.Ratio[a][layout], low: p.Low[a][layout], high: p.High[a][layout]}
				if layout == bench.Tree {
					bar.label, bar.class, bar.half = "", "ours-light", 2
				}
				g.bars = append(g.bars, bar)
			}
		}
		b.groups = append(b.groups, g)
	}
	return b
}

func partTitle(p bench.BlobsPart) string {
	title := clean(p.Name)
	if p.Write {
		title += map[bench.Sync]string{
			bench.SyncOff:    ": neither waits for the disk",
			bench.SyncNormal: ": a WAL against files without fsync",
			bench.SyncFull:   ": both fsync",
		}[p.Sync]
	}
	if len(p.Chart) > 0 {
		title += " (the article's chart " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(p.Chart)), ", "), "[]") + ")"
	}
	return title
}

// quoted is the way to a blob that a message is about: the one that is used
// most, not the one that looks best.
func quoted(p bench.BlobsPart) bench.BlobAPI {
	for _, a := range []bench.BlobAPI{bench.BlobSQL, bench.BlobStore, bench.BlobUnmapped} {
		if slices.Contains(p.APIs, a) {
			return a
		}
	}
	return p.APIs[0]
}

func readsMessage(caches string) func(bench.BlobsPart) string {
	return func(p bench.BlobsPart) string {
		a := quoted(p)
		ratio := p.Ratio[a][bench.Flat]
		if ratio >= 1 {
			return fmt.Sprintf("%s caches: %s reads a blob %s as fast as a file is read", caches, api(a), times(ratio))
		}
		return fmt.Sprintf("%s caches: a file is read %s as fast as %s reads a blob", caches, times(1/ratio), api(a))
	}
}

func writesMessage(p bench.BlobsPart) string {
	a := quoted(p)
	ratio := p.Ratio[a][bench.Flat]
	if ratio >= 1 {
		return fmt.Sprintf("Overwriting in one transaction is %s as fast as overwriting files", times(ratio))
	}
	return fmt.Sprintf("Overwriting files is %s as fast as overwriting in one transaction", times(1/ratio))
}

func sweepFigure(r *bench.BlobsReport, suffix string) Figure {
	l := lines{name: "blobs-sweep" + suffix, xAxis: "size of a blob", yAxis: "files' time ÷ database's time, reads", logX: true,
		xName: bytes, yName: times, even: "as fast as files"}
	classes := []string{"peer-a", "ours", "peer-c", "peer-b", "peer-d"}
	message := "Up to which size the database is faster"
	for i, a := range bench.BlobAPIs {
		c := curve{label: api(a), class: classes[i%len(classes)]}
		for _, p := range r.Sweep {
			if ratio := p.Ratio[a][bench.Flat]; ratio > 0 {
				c.points = append(c.points, point{x: float64(p.Size), y: ratio})
			}
		}
		if len(c.points) == 0 {
			continue
		}
		l.curves = append(l.curves, c)
		if crossover, ok := r.Crossover[a]; ok && (a == bench.BlobSQL || len(l.curves) == 1) {
			message = fmt.Sprintf("%s is faster than files up to %s", api(a), upTo(crossover))
		}
	}
	l.title = message
	notes := blobNotes(r, nil)
	notes[1].Text = "Warm caches, random order, files in one flat directory, 4 KiB pages unless said otherwise; the blobs of one size have 128 MiB together, and less where they would be too many."
	return Figure{Plot: l.plot(), Table: l.table(), Notes: notes}
}

func upTo(c bench.Crossover) string {
	switch c.Where {
	case bench.At:
		return "about " + bytes(float64(c.Bytes))
	case bench.Above:
		return bytes(float64(c.Bytes)) + " and more"
	}
	return "less than " + bytes(float64(c.Bytes))
}

func diskFigure(r *bench.BlobsReport, suffix string) Figure {
	d, n := r.Disk, float64(max(r.Settings.Count, 1))
	b := bars{name: "blobs-disk" + suffix, axis: "bytes of disk a blob, padding included", unit: grouped}
	total := barGroup{title: fmt.Sprintf("%s blobs of %s ± %s bytes, pages of %s", grouped(n), grouped(float64(r.Settings.Size)), grouped(float64(r.Settings.Variance)), bytes(float64(r.Settings.PageSize)))}
	add := func(label, class string, bytes int64) {
		if bytes > 0 {
			total.bars = append(total.bars, bar{label: label, class: class, value: float64(bytes) / n})
		}
	}
	add("the blobs themselves", "quiet", d.Content)
	add("database", "ours", d.Database)
	add("package blob, with names and checksums", "ours-light", d.Store)
	add("files, flat", "peer-a", d.Files[bench.Flat])
	add("files, tree", "peer-a", d.Files[bench.Tree])
	b.groups = append(b.groups, total)
	if len(d.ByPage) > 0 {
		pages := barGroup{title: "the database by page size"}
		for _, u := range d.ByPage {
			pages.bars = append(pages.bars, bar{label: bytes(float64(u.PageSize)), class: "ours", value: u.PerBlob})
		}
		b.groups = append(b.groups, pages)
	}
	b.title = fmt.Sprintf("The database takes %.1f %% less disk than files", d.Less[bench.Flat])
	if d.Less[bench.Flat] < 0 {
		b.title = fmt.Sprintf("The database takes %.1f %% more disk than files", -d.Less[bench.Flat])
	}
	notes := blobNotes(r, nil)
	notes[1].Text = "What du counts: blocks, directories included, after a checkpoint; inodes are not in it."
	notes[2].Text = "None: the same blobs take the same space."
	notes[3].Text = "A file is padded to the next block of the file system. A row's last piece lies in a page with its neighbours', which it fills by chance: small pages waste less."
	for _, u := range d.ByPage {
		if u.PageSize == 4096 {
			notes[3].Text += fmt.Sprintf(" Were all blobs of the mean size, two would share a page and the database took %.1f %% less: the article's figure belongs to such blobs.", u.EqualLess)
		}
	}
	return Figure{Plot: b.plot(), Table: b.table(), Notes: notes}
}

func blobNotes(r *bench.BlobsReport, parts []bench.BlobsPart) []Note {
	s := r.Settings
	settings := fmt.Sprintf("%s blobs of %s ± %s bytes, %s order, pages of %s", grouped(float64(s.Count)), grouped(float64(s.Size)), grouped(float64(s.Variance)), s.Order, bytes(float64(s.PageSize)))
	for _, p := range parts {
		settings += fmt.Sprintf("; %s: %s a round", p.Name, grouped(float64(p.Count)))
		if p.Cold && len(p.Series) > 0 && p.Series[0].Forgotten != "" {
			settings += ", files forgotten before it by " + p.Series[0].Forgotten
		}
	}
	return []Note{
		{"Machine", machines([]on{{r.Machine, r.SQLite}})},
		{"Settings", clean(settings)},
		{"Spread", fmt.Sprintf("%d rounds after one that does not count; in each, every way has its turn, a different one first. A bar is the median of the rounds' ratios, the line through its end goes from the lowest to the highest.%s", s.Rounds, byProcessor(parts))},
		{"Limit", blobLimit(r)},
		{"Not fair", blobUnfair(parts)},
	}
}

// byProcessor gives the ratios that other work on the machine hardly changes.
func byProcessor(parts []bench.BlobsPart) string {
	if len(parts) == 0 || parts[0].Cold || parts[0].Sync == bench.SyncFull {
		return "" // it is the disk that takes the time
	}
	var words []string
	for _, a := range parts[0].APIs {
		if ratio := parts[0].CPURatio[a][bench.Flat]; good(ratio) {
			words = append(words, api(a)+" "+times(ratio))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return " By processor time alone, which other programs hardly change, " + clean(parts[0].Name) + " against flat files: " + list(words) + "."
}

func blobLimit(r *bench.BlobsReport) string {
	l := r.Limit
	if l.Copy <= 0 || l.Read <= 0 {
		return "Not measured on this system."
	}
	text := fmt.Sprintf("Back of the envelope: copying %s from a mapped file takes %s, and no read that copies can be faster; reading them from an open file takes %s. A file takes that and three calls more (open, fstat, close), each %s before it does anything.",
		bytes(float64(r.Settings.Size)), micros(l.Copy), micros(l.Read), micros(l.Call))
	for _, p := range r.Parts {
		for _, s := range p.Series {
			if !p.Write && !p.Cold && s.Store == string(bench.Flat) && good(s.Median) {
				return text + fmt.Sprintf(" %s were measured, so that %s is the most a database could reach.", micros(s.Median), times(s.Median/l.Copy))
			}
		}
	}
	return text
}

func blobUnfair(parts []bench.BlobsPart) string {
	text := "To the database: files are read and written by raw system calls into a buffer that is there, without what any library adds. To files: they were written in the order of their names, and the database opens once."
	for _, p := range parts {
		switch {
		case p.Write && p.Sync == bench.SyncNormal && !p.MultiTrans:
			text += " The checkpoint that a WAL leaves for later is not in the time, as in the article; files leave their writing to the operating system as well. The database's writes are a transaction that a power cut may take as a whole; a file that was being overwritten is empty after one."
		case p.Cold:
			text += " With cold caches the kernel's reading ahead decides: it helps a mapped file most."
		}
	}
	return text
}
