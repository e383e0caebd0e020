package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/bench"
)

// hostile is a text that would do harm if it became markup.
const hostile = `</title></svg><script>alert(1)</script><img src="https://example.org/x" onerror='y'>` + "\x00\x1b\u2028&amp;"

func ledgerReport(peer bench.Peer, tps float64) *bench.LedgerReport {
	return &bench.LedgerReport{
		Workload: "ledger", TPS: tps, P50: 900, P99: 4200, Max: 9000, BatchMean: 410,
		Transfers: 100_000, Commits: 250, Seconds: 1, CPUSeconds: 0.6,
		Settings: bench.LedgerSettings{DB: "x.db", Accounts: 1_000_000, Callers: 1024, Seconds: 10, Mode: bench.Savepoint,
			Durability: bench.Full, Dist: bench.Power, Peer: peer},
		Machine: bench.Machine{OS: "linux", CPU: "a processor", Cores: 2, Memory: 8 << 30, Load: "1.25 1 1 1/2 3"},
	}
}

func readsReport(mode bench.ReadMode, each float64) *bench.ReadsReport {
	r := &bench.ReadsReport{Workload: "reads", Warmed: true, FileSize: 8 << 20,
		Settings: bench.ReadsSettings{Query: bench.Point, SQL: "SELECT 1", Mode: mode, Rows: 1000, Threads: []int{1, 2, 4}, Seconds: 5},
		Machine:  bench.Machine{Cores: 2}}
	for _, n := range r.Settings.Threads {
		mean := each * float64(min(n, 2))
		r.Threads = append(r.Threads, bench.ReadFigures{N: n, Best: mean * 1.1, Mean: mean, P50: 3, P99: 12, PerSecond: []float64{mean * 0.9, mean * 1.1}})
	}
	return r
}

func ratios(flat, tree float64) bench.BlobRatios {
	return bench.BlobRatios{bench.BlobSQL: {bench.Flat: flat, bench.Tree: tree}}
}

func blobsReport() *bench.BlobsReport {
	part := func(p bench.BlobsPlan, ratio float64) bench.BlobsPart {
		p.APIs, p.Count = []bench.BlobAPI{bench.BlobSQL}, 1000
		return bench.BlobsPart{BlobsPlan: p, Ratio: ratios(ratio, ratio*1.1), Low: ratios(ratio*0.9, ratio), High: ratios(ratio*1.2, ratio*1.3),
			Series: []bench.BlobSeries{{Store: "sql", Median: 2}, {Store: "flat", Median: 2 * ratio, Forgotten: "drop_caches"}}}
	}
	r := &bench.BlobsReport{
		Workload: "blobs",
		Parts: []bench.BlobsPart{
			part(bench.BlobsPlan{Name: "reads", Chart: []int{1, 2, 3}, Sync: bench.SyncNormal}, 1.8),
			part(bench.BlobsPlan{Name: "overwrites", Chart: []int{4}, Write: true, Sync: bench.SyncNormal}, 4.5),
			part(bench.BlobsPlan{Name: "cold reads", Cold: true}, 0.5),
		},
		Sweep:     []bench.SweepPoint{{Size: 1024, Ratio: ratios(3, 3)}, {Size: 1 << 20, Ratio: ratios(0.5, 0.5)}},
		Crossover: map[bench.BlobAPI]bench.Crossover{bench.BlobSQL: {Where: bench.At, Bytes: 200 << 10}},
		Disk: bench.BlobsDisk{Content: 10_000_000, Database: 10_700_000, Files: map[bench.BlobLayout]int64{bench.Flat: 12_100_000, bench.Tree: 12_200_000},
			Less: map[bench.BlobLayout]float64{bench.Flat: 11.6, bench.Tree: 12.3}, ByPage: []bench.PageUsage{{PageSize: 4096, PerBlob: 10_700, Less: 11.6, EqualLess: 16.6}}},
		Limit:    bench.BlobsLimit{Call: 0.08, Read: 2, Copy: 1.5},
		Settings: bench.BlobsSettings{Count: 1000, Size: 10_000, Variance: 2000, PageSize: 4096, Order: bench.Random, Rounds: 5},
	}
	return r
}

func articleReport() *bench.ArticleReport {
	return &bench.ArticleReport{Workload: "article", Columns: []string{"PostgreSQL, 8", "Nearlite, full"},
		Tables:   []bench.ArticleTable{{Title: "closed loop", Rows: []bench.ArticleRow{{Name: "5ms", Cells: []bench.ArticleCell{{TPS: 1200}, {}}}, {Name: "batch", Cells: []bench.ArticleCell{{}, {TPS: 150_000}}}}}},
		Settings: bench.ArticleSettings{Rounds: 3}}
}

func serverReport() *bench.ServerReport {
	r := &bench.ServerReport{Workload: "server", Settings: bench.ServerSettings{Rows: 1000, Rounds: 2, Seconds: 3, Insert: "INSERT", Read: "SELECT"},
		Servers: []bench.ServerAbout{{Name: bench.NearliteServer, Version: "nearlite 1"}, {Name: bench.SQLD, Version: "sqld 1", Flags: []string{"--flag"}}},
		Idle:    &bench.ServerIdle{Streams: 10_000, Databases: 5000, Seconds: 60, Steps: []bench.IdleMemory{{Step: "started", Resident: 20 << 20}, {Step: "later", Resident: 300 << 20}}},
		Machine: bench.Machine{Cores: 2}}
	for _, server := range []bench.ServerName{bench.NearliteServer, bench.SQLD} {
		for _, n := range []int{1, 32} {
			rate := map[bench.ServerName]float64{bench.NearliteServer: 1000, bench.SQLD: 100}[server] * float64(n)
			r.Loads = append(r.Loads, bench.ServerFigures{Server: server, Work: bench.ServerInsert, Protocol: bench.OverHTTP, Clients: n, PerSecond: rate, Low: rate / 2, High: rate * 2,
				P50: 100, P99: 900, Rounds: []bench.ServerRound{{ServerCPU: 1.5, LoadCPU: 0.5}, {ServerCPU: 1.5, LoadCPU: 0.5}}})
		}
	}
	return r
}

func all() []*Report {
	return []*Report{
		{Ledger: ledgerReport(bench.Nearlite, 180_000)}, {Ledger: ledgerReport(bench.Nearlite, 190_000)}, {Ledger: ledgerReport(bench.Mattn, 900)},
		{Article: articleReport()},
		{Reads: readsReport(bench.Stock, 100_000)}, {Reads: readsReport(bench.Ours, 400_000)},
		{Blobs: blobsReport()},
		{Server: serverReport()},
	}
}

func html(t *testing.T, reports ...*Report) string {
	t.Helper()
	page, err := New(reports)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := page.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPageSaysWhatOneShouldSee(t *testing.T) {
	t.Parallel()
	page := html(t, all()...)
	for _, want := range []string{
		"Nearlite: 185 k transactions a second, 206× mattn/go-sqlite3",
		"Nearlite, one account by its key: 800 k a second, 4.00× mattn/go-sqlite3",
		"With 2 threads each keeps 100 % of what one alone does",
		"Warm caches: View reads a blob 1.80× as fast as a file is read",
		"Cold caches: a file is read 2.00× as fast as View reads a blob",
		"Overwriting in one transaction is 4.50× as fast as overwriting files",
		"View is faster than files up to about 200 KiB",
		"The database takes 11.6 % less disk than files",
		"took 16.6 % less",
		"32 k inserts a second from 32 clients over HTTP, 10× sqld",
		"10,000 WebSockets and 5,000 databases at rest take 300 MiB",
		"ideal",
		"load average when it was over: 1.25",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, note := range []string{"Machine", "Settings", "Spread", "Limit", "Not fair"} {
		if got, plots := strings.Count(page, "<dt>"+note+"</dt>"), strings.Count(page, "<figure>"); got != plots {
			t.Errorf("%d plots, %d of them with %s", plots, got, note)
		}
	}
}

// One who compares must be told when he loses, too.
func TestPageSaysWhoIsFaster(t *testing.T) {
	t.Parallel()
	page := html(t, &Report{Ledger: ledgerReport(bench.Nearlite, 1000)}, &Report{Ledger: ledgerReport(bench.Mattn, 2000)})
	if want := "0.50× mattn/go-sqlite3"; !strings.Contains(page, want) {
		t.Errorf("the page does not say %q", want)
	}
}

// Nothing is asked of anybody, and everything has words beside the picture.
func TestPageIsSelfContained(t *testing.T) {
	t.Parallel()
	page := html(t, all()...)
	for _, bad := range []string{"<script", "<link", "<img", "@import", "url(", "src=", "https://"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if strings.Count(page, "http://") != strings.Count(page, `xmlns="http://www.w3.org/2000/svg"`) {
		t.Error("the page has addresses")
	}
	plots := strings.Count(page, "<svg ")
	for _, part := range []string{`role="img" aria-labelledby=`, "-title\">", "<desc id="} {
		if got := strings.Count(page, part); got != plots || plots < 8 {
			t.Errorf("%d plots, %d have %s", plots, got, part)
		}
	}
}

func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	l, r, b, a := ledgerReport(hostile, 5000), readsReport(hostile, 1000), blobsReport(), articleReport()
	l.Settings.Mode, l.Settings.Durability, l.Settings.Dist = hostile, hostile, hostile
	l.Machine.CPU, l.Machine.FileSystem, l.Machine.Load, l.SQLite.Version = hostile, hostile, hostile, hostile
	r.Settings.Query, r.Settings.SQL = hostile, hostile
	b.Parts[0].Name, b.Settings.Order, b.Parts[2].Series[0].Forgotten = hostile, hostile, hostile
	b.Crossover[bench.BlobSQL] = bench.Crossover{Where: hostile}
	a.Columns[0], a.Tables[0].Title, a.Tables[0].Rows[0].Name = hostile, hostile, hostile
	s := serverReport()
	s.Servers[0].Version, s.Servers[1].Flags, s.Settings.Insert, s.Idle.Steps[0].Step, s.Loads[0].Work = hostile, []string{hostile}, hostile, hostile, hostile
	reports := []*Report{{Ledger: l}, {Reads: r}, {Blobs: b}, {Article: a}, {Server: s}}
	page := html(t, reports...)
	for _, bad := range []string{"<script", "<img", "\x00", "\x1b"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	checkSVG(t, reports)
}

// checkSVG writes the plots as files and reads them as XML.
func checkSVG(t *testing.T, reports []*Report) []string {
	t.Helper()
	page, err := New(reports)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "made")
	if err := page.WriteSVG(dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, entry.Name())
		checkXML(t, entry.Name(), string(text))
	}
	return names
}

func checkXML(t *testing.T, name, text string) {
	t.Helper()
	allowed := []string{"svg", "title", "desc", "style", "rect", "line", "circle", "path", "text"}
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Errorf("%s is no XML: %v", name, err)
			return
		}
		if start, ok := token.(xml.StartElement); ok && !slices.Contains(allowed, start.Name.Local) {
			t.Errorf("%s has an element %s", name, start.Name.Local)
		}
	}
}

func TestPlotsAsFiles(t *testing.T) {
	t.Parallel()
	got := checkSVG(t, all())
	want := []string{"article-1.svg", "blobs-cold.svg", "blobs-disk.svg", "blobs-read.svg", "blobs-sweep.svg", "blobs-write.svg",
		"ledger-latency.svg", "ledger.svg", "reads-latency.svg", "reads-per-thread.svg", "reads.svg",
		"server-idle.svg", "server-insert-latency.svg", "server-insert.svg"}
	if !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// One bad round must not make all bars short.
func TestAxisEndsBeforeAnOutlier(t *testing.T) {
	t.Parallel()
	b := bars{unit: times, groups: []barGroup{{bars: []bar{{label: "a", value: 2, low: 1, high: 40}, {label: "b", value: 3, low: 2, high: 4}}}}}
	if got := b.largest(); got != 6 {
		t.Errorf("the axis goes to %v", got)
	}
	beyond := 0
	for _, s := range b.plot().Shapes {
		if s.Class == "beyond" {
			beyond++
		}
	}
	if beyond != 1 {
		t.Errorf("%d spreads go on beyond the plot, want one", beyond)
	}
	if !strings.Contains(b.words(), "40.0×") && !strings.Contains(b.words(), "40×") {
		t.Errorf("the words leave the outlier out: %s", b.words())
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"no JSON":          {`tps: 5`, "not a report of nearlite bench: expected a JSON object"},
		"nothing":          {``, "not a report of nearlite bench"},
		"a list":           {`[1]`, "expected a JSON object"},
		"another object":   {`{"a": 1}`, `expected "workload": "ledger", "article", "reads", "blobs" or "server", and there is none`},
		"another workload": {`{"workload": "other"}`, `workload "other": expected "ledger"`},
		"an older ledger":  {`{"workload": "ledger", "settings": {"mode": "batch", "accounts": 5}}`, "without usable p50_us, p99_us and tps: made by an older nearlite"},
		"another type":     {`{"workload": "ledger", "tps": "many"}`, "that this nearlite cannot read"},
		"no threads":       {`{"workload": "reads", "settings": {"mode": "ours", "query": "point"}}`, "without usable threads"},
		"no parts":         {`{"workload": "blobs", "settings": {"count": 5}}`, "without usable parts"},
		"no loads":         {`{"workload": "server"}`, "without usable loads"},
		"no cells":         {`{"workload": "article", "columns": ["a"]}`, "without usable tables"},
		"absurd":           {`{"workload": "ledger", "tps": 1e300, "p50_us": 1, "p99_us": 1, "settings": {"mode": "batch", "accounts": 5}}`, "without usable tps"},
	} {
		if _, err := Decode([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, test.want)
		}
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "some.json")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "some.json") {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "some.json: not a report") {
		t.Errorf("another file: %v", err)
	}
	if _, err := New(nil); err == nil {
		t.Error("a page of nothing")
	}
}

// A newer version's report has fields that this one does not know.
func TestDecodeLeavesOutWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(ledgerReport(bench.Nearlite, 5))
	if err != nil {
		t.Fatal(err)
	}
	text = append([]byte(`{"color": "green", `), text[1:]...)
	if r, err := Decode(text); err != nil || r.Ledger.TPS != 5 {
		t.Errorf("%v, %v", r, err)
	}
}

// Whatever is decoded can be made a page of, and the plots are XML.
func FuzzDecode(f *testing.F) {
	for _, r := range []any{ledgerReport(bench.Nearlite, 5000), readsReport(bench.Ours, 400_000), blobsReport(), articleReport()} {
		text, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"workload":"reads","threads":[{"n":1,"qps_mean":1e14,"qps_best":1e14,"per_second":[0,9e14]},{"n":1000000000000,"qps_mean":1e-8,"qps_best":1e-8}],"settings":{"query":"x","mode":"y"}}`))
	f.Add([]byte(`{"workload":"reads","threads":[{"n":1,"qps_mean":1e-300,"qps_best":1e14,"per_second":[-1,1e308]}],"settings":{"query":"x","mode":"y"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Decode(text)
		if err != nil {
			return
		}
		page, err := New([]*Report{r})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := page.WriteHTML(&out); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "<script") {
			t.Error("a script")
		}
		for _, s := range page.Sections {
			for _, figure := range s.Figures {
				plot := *figure.Plot
				plot.Alone = true
				var svg strings.Builder
				if err := templates.ExecuteTemplate(&svg, "plot.svg", &plot); err != nil {
					t.Fatal(err)
				}
				for _, nowhere := range []string{`"NaN"`, `"+Inf"`, `"-Inf"`, "MNaN", "LNaN", " NaN", " +Inf"} {
					if strings.Contains(svg.String(), nowhere) && !strings.Contains(string(text), nowhere) {
						t.Errorf("%s has no place for a figure: %s", plot.Name, nowhere)
					}
				}
				checkXML(t, plot.Name, svg.String())
			}
		}
	})
}

func TestNumbersAreShort(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		brief(999): "999", brief(9_999): "9,999", brief(178_432): "178 k", brief(1_254_000): "1.25 M",
		times(0.5): "0.50×", times(1.856): "1.86×", times(12.34): "12.3×", times(515.2): "515×",
		micros(0.0769): "76.9 ns", micros(4.35): "4.35 µs", micros(29_000): "29 ms", micros(2.33e6): "2.33 s",
		bytes(512): "512 B", bytes(10_000): "9.77 KiB", bytes(1 << 20): "1 MiB",
		significant(0): "0", significant(999.6): "1000", plural(1, "thread"): "1 thread", plural(2, "thread"): "2 threads",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestScales(t *testing.T) {
	t.Parallel()
	for _, largest := range []float64{0.0003, 0.9, 1, 3.07, 15, 919_000, 1e14} {
		s, ticks := linear(largest, 0, 100)
		if s.to < largest || s.to > 2.1*largest || len(ticks) < 3 || len(ticks) > 8 || ticks[0] != 0 {
			t.Errorf("up to %v: %v to %v", largest, ticks, s.to)
		}
		l, ticks := logarithmic(largest/50, largest, 0, 100)
		if l.of(largest) > 100 || l.of(largest/50) < 0 || len(ticks) < 2 {
			t.Errorf("powers of ten up to %v: %v", largest, ticks)
		}
	}
}
