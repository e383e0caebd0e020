package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/nearlite/nearlite/bench"
)

// A Report is what one JSON file holds: the figures of one workload, the others
// being nil.
type Report struct {
	Ledger  *bench.LedgerReport
	Article *bench.ArticleReport
	Reads   *bench.ReadsReport
	Blobs   *bench.BlobsReport
	Server  *bench.ServerReport
}

// sizeMax is how large a report may be; they have some kilobytes.
const sizeMax = 64 << 20

// Load reads the report in a file that nearlite bench has written.
func Load(path string) (*Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, sizeMax+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(text) > sizeMax {
		return nil, fmt.Errorf("%s: more than %d MiB is no report of nearlite bench", path, sizeMax>>20)
	}
	r, err := Decode(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Decode reads a report. Fields it does not know are left out: they are a newer
// version's. A figure that it needs and does not find is an error.
func Decode(text []byte) (*Report, error) {
	var head struct {
		Workload *string `json:"workload"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("not a report of nearlite bench: expected a JSON object with a workload: %w", err)
	}
	if head.Workload == nil {
		return nil, errors.New(`not a report of nearlite bench: expected "workload": "ledger", "article", "reads", "blobs" or "server", and there is none`)
	}
	switch *head.Workload {
	case "ledger":
		return decodeLedger(text)
	case "article":
		return decodeArticle(text)
	case "reads":
		return decodeReads(text)
	case "blobs":
		return decodeBlobs(text)
	case "server":
		return decodeServer(text)
	}
	return nil, fmt.Errorf(`a report of workload %q: expected "ledger", "article", "reads", "blobs" or "server" (a newer nearlite may know it)`, *head.Workload)
}

func decodeLedger(text []byte) (*Report, error) {
	r := new(bench.LedgerReport)
	if err := unmarshal(text, "ledger", r); err != nil {
		return nil, err
	}
	return &Report{Ledger: r}, needs("ledger", map[string]bool{
		"tps":               good(r.TPS),
		"p50_us":            good(r.P50),
		"p99_us":            good(r.P99),
		"max_us":            known(r.Max),
		"settings.mode":     r.Settings.Mode != "",
		"settings.accounts": r.Settings.Accounts > 0,
	})
}

func decodeArticle(text []byte) (*Report, error) {
	r := new(bench.ArticleReport)
	if err := unmarshal(text, "article", r); err != nil {
		return nil, err
	}
	whole, sane := false, true
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			for _, cell := range row.Cells {
				whole = whole || good(cell.TPS)
				sane = sane && known(cell.TPS) && known(cell.Least) && known(cell.Most)
			}
		}
	}
	return &Report{Article: r}, needs("article", map[string]bool{"columns": len(r.Columns) > 0, "tables": whole && sane})
}

func decodeReads(text []byte) (*Report, error) {
	r := new(bench.ReadsReport)
	if err := unmarshal(text, "reads", r); err != nil {
		return nil, err
	}
	whole := len(r.Threads) > 0
	for _, f := range r.Threads {
		whole = whole && f.N > 0 && good(f.Mean) && good(f.Best) && known(f.P50) && known(f.P99) && !slices.ContainsFunc(f.PerSecond, func(f float64) bool { return !known(f) })
	}
	return &Report{Reads: r}, needs("reads", map[string]bool{
		"threads":        whole,
		"settings.query": r.Settings.Query != "",
		"settings.mode":  r.Settings.Mode != "",
	})
}

func decodeBlobs(text []byte) (*Report, error) {
	r := new(bench.BlobsReport)
	if err := unmarshal(text, "blobs", r); err != nil {
		return nil, err
	}
	whole := len(r.Parts) > 0
	for _, part := range r.Parts {
		whole = whole && part.Name != "" && len(part.APIs) > 0
		for _, api := range part.APIs {
			for _, layout := range bench.BlobLayouts {
				whole = whole && good(part.Ratio[api][layout]) && good(part.Low[api][layout]) && good(part.High[api][layout])
			}
		}
	}
	swept := true
	for _, p := range r.Sweep {
		swept = swept && p.Size > 0
		for _, ratios := range p.Ratio {
			swept = swept && good(ratios[bench.Flat])
		}
	}
	return &Report{Blobs: r}, needs("blobs", map[string]bool{
		"parts":          whole,
		"sweep":          swept,
		"settings.count": r.Settings.Count > 0,
	})
}

func decodeServer(text []byte) (*Report, error) {
	r := new(bench.ServerReport)
	if err := unmarshal(text, "server", r); err != nil {
		return nil, err
	}
	sane := true
	for _, f := range r.Loads {
		sane = sane && f.Clients > 0 && good(f.PerSecond) && known(f.Low) && known(f.High) && good(f.P50) && good(f.P99)
	}
	rested := r.Idle == nil || len(r.Idle.Steps) > 0
	return &Report{Server: r}, needs("server", map[string]bool{
		"loads": sane && (len(r.Loads) > 0 || r.Idle != nil),
		"idle":  rested,
	})
}

func unmarshal(text []byte, workload string, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("a report of %s that this nearlite cannot read: %w (made by another version? measure again)", workload, err)
	}
	return nil
}

// good reports whether a figure can be plotted: some are so small or so large
// that nothing was measured.
func good(f float64) bool { return f > 1e-9 && f < 1e15 }

// known is good, or zero for what is not known.
func known(f float64) bool { return f == 0 || good(f) }

// needs returns an error that names what is missing.
func needs(workload string, found map[string]bool) error {
	var missing []string
	for name, ok := range found {
		if !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &IncompleteError{Workload: workload, Missing: sorted(missing)}
}

// IncompleteError is returned for a report without figures that the page needs.
type IncompleteError struct {
	Workload string
	Missing  []string // names as in the JSON
}

// Error says what is missing, why that may be, and what to do.
func (e *IncompleteError) Error() string {
	return fmt.Sprintf("a report of %s without usable %s: made by an older nearlite, or changed by hand; measure again with nearlite bench %s --json",
		e.Workload, list(e.Missing), e.Workload)
}
