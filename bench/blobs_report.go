package bench

import (
	"slices"
	"time"
)

// BlobRatios are the files' time divided by the database's, by API and layout:
// above one, the database is faster.
type BlobRatios map[BlobAPI]map[BlobLayout]float64

func (r BlobRatios) set(api BlobAPI, layout BlobLayout, ratio float64) {
	if r[api] == nil {
		r[api] = map[BlobLayout]float64{}
	}
	r[api][layout] = ratio
}

// BlobsReport is what a run of blobs came to.
type BlobsReport struct {
	Workload   string     `json:"workload"`              // "blobs"
	ReadRatio  BlobRatios `json:"read_ratio"`            // of the first comparison that reads
	WriteRatio BlobRatios `json:"write_ratio,omitempty"` // of the first that overwrites

	Parts     []BlobsPart           `json:"parts"`
	Disk      BlobsDisk             `json:"disk"`
	Sweep     []SweepPoint          `json:"sweep,omitempty"`
	Crossover map[BlobAPI]Crossover `json:"crossover,omitempty"` // the size at which files become faster
	Limit     BlobsLimit            `json:"limit"`

	Settings BlobsSettings `json:"settings"`
	Machine  Machine       `json:"machine"`
	SQLite   Library       `json:"sqlite"`
}

// BlobsPart is one comparison: its plan and what came of it.
type BlobsPart struct {
	BlobsPlan
	Series []BlobSeries `json:"series"`
	Ratio  BlobRatios   `json:"ratio"`     // the median of the rounds' ratios
	Low    BlobRatios   `json:"ratio_low"` // the lowest and the highest of them
	High   BlobRatios   `json:"ratio_high"`
	// The same of processor time, where the system tells it: other programs
	// change it little, and waiting for the disk is not in it.
	CPURatio BlobRatios `json:"cpu_ratio,omitempty"`
}

// BlobSeries is what one store did, round after round.
type BlobSeries struct {
	Store     string    `json:"store"`                            // an API or a layout
	Median    float64   `json:"us"`                               // for a blob
	Micros    []float64 `json:"us_by_round"`                      // in the order of the rounds
	CPU       float64   `json:"cpu_us"`                           // the median of what it took of the processors
	CPUMicros []float64 `json:"cpu_us_by_round"`                  // hardly changes when the machine has other work
	Settle    []float64 `json:"checkpoint_us_by_round,omitempty"` // for a blob, and not in the above
	Forgotten string    `json:"cold_by,omitempty"`                // how the files were forgotten
	place     string
}

// add counts a round.
func (s *BlobSeries) add(took, cpu time.Duration, blobs int) {
	s.Micros = append(s.Micros, micros(took)/float64(blobs))
	s.CPUMicros = append(s.CPUMicros, micros(cpu)/float64(blobs))
}

// BlobsLimit is what this machine takes for the steps that a read is made of.
type BlobsLimit struct {
	Call float64 `json:"call_us"` // a system call that does next to nothing
	Read float64 `json:"read_us"` // one pread of a blob's bytes from an open file, at random places
	Copy float64 `json:"copy_us"` // copying them from a mapped file instead
}

// BlobsSettings are the settings of a run as its report records them.
type BlobsSettings struct {
	DB       string    `json:"db"`
	Count    int       `json:"count"`
	Size     int       `json:"size"`
	Variance int       `json:"variance"`
	PageSize int       `json:"page_size"`
	Order    BlobOrder `json:"order"`
	Rounds   int       `json:"rounds"`
	Article  bool      `json:"article"`
}

func (s *blobSet) newReport() *BlobsReport {
	return &BlobsReport{
		Workload: "blobs",
		Settings: BlobsSettings{
			DB:       s.DB,
			Count:    s.Count,
			Size:     s.Size,
			Variance: s.Variance,
			PageSize: s.PageSize,
			Order:    s.Order,
			Rounds:   s.Rounds,
			Article:  s.Article,
		},
		Machine: DescribeMachine(s.DB),
		SQLite:  DescribeLibrary(),
	}
}

// newBlobsPart puts the figures of a comparison together.
func newBlobsPart(r *blobRun) BlobsPart {
	p := BlobsPart{BlobsPlan: r.plan, Ratio: BlobRatios{}, Low: BlobRatios{}, High: BlobRatios{}, CPURatio: BlobRatios{}}
	for _, series := range r.series {
		series.Median, series.CPU = median(series.Micros), median(series.CPUMicros)
		p.Series = append(p.Series, *series)
	}
	for _, api := range p.APIs {
		for _, layout := range BlobLayouts {
			ratios := quotients(p.of(string(layout)).Micros, p.of(string(api)).Micros)
			p.Ratio.set(api, layout, median(ratios))
			p.Low.set(api, layout, slices.Min(ratios))
			p.High.set(api, layout, slices.Max(ratios))
			if files, database := p.of(string(layout)).CPU, p.of(string(api)).CPU; files > 0 && database > 0 {
				p.CPURatio.set(api, layout, files/database)
			}
		}
	}
	return p
}

// of returns the series of a store.
func (p BlobsPart) of(store string) BlobSeries {
	i := slices.IndexFunc(p.Series, func(s BlobSeries) bool { return s.Store == store })
	return p.Series[i]
}

// summarize puts in front what people look for.
func (r *BlobsReport) summarize() {
	for _, part := range slices.Backward(r.Parts) {
		if part.Write {
			r.WriteRatio = part.Ratio
		} else {
			r.ReadRatio = part.Ratio
		}
	}
}

// quotients divides round by round, so that what slows a whole round down slows
// both and stays out of the ratio.
func quotients(of, by []float64) []float64 {
	out := make([]float64, len(of))
	for i := range of {
		out[i] = of[i] / by[i]
	}
	return out
}

// median returns the middle one, or the mean of both that are; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
