package report

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"

	"github.com/nearlite/nearlite/bench"
)

// A Page is the plots of some reports, in sections by workload.
type Page struct {
	Sections []Section
}

// A Section is one workload.
type Section struct {
	Title   string
	Lead    string
	Figures []Figure
}

// A Figure is a plot, its figures as a table, and what one must know to judge it.
type Figure struct {
	*Plot
	Table *Table
	Notes []Note
}

// A Note is one thing one must know.
type Note struct{ Name, Text string }

// A Table is the figures of a plot for those who want to read them.
type Table struct {
	Head []string
	Rows [][]string
}

// New makes the page of some reports.
func New(reports []*Report) (*Page, error) {
	var ledgers []*bench.LedgerReport
	var articles []*bench.ArticleReport
	var reads []*bench.ReadsReport
	var blobs []*bench.BlobsReport
	var servers []*bench.ServerReport
	for _, r := range reports {
		switch {
		case r.Ledger != nil:
			ledgers = append(ledgers, r.Ledger)
		case r.Article != nil:
			articles = append(articles, r.Article)
		case r.Reads != nil:
			reads = append(reads, r.Reads)
		case r.Blobs != nil:
			blobs = append(blobs, r.Blobs)
		case r.Server != nil:
			servers = append(servers, r.Server)
		}
	}
	page := new(Page)
	if len(ledgers) > 0 {
		page.Sections = append(page.Sections, ledgerSection(ledgers))
	}
	if len(articles) > 0 {
		page.Sections = append(page.Sections, articleSection(articles))
	}
	if len(reads) > 0 {
		page.Sections = append(page.Sections, readsSection(reads))
	}
	if len(blobs) > 0 {
		page.Sections = append(page.Sections, blobsSection(blobs))
	}
	if len(servers) > 0 {
		page.Sections = append(page.Sections, serverSection(servers))
	}
	if len(page.Sections) == 0 {
		return nil, errors.New("no report to make a page of")
	}
	return page, nil
}

//go:embed page.html plot.svg style.css
var files embed.FS

var (
	style     = template.CSS(mustRead("style.css"))
	templates = template.Must(template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return style },
		"n":     func(f float64) string { return fmt.Sprintf("%.1f", f) },
		"clean": clean,
	}).ParseFS(files, "page.html", "plot.svg"))
)

func mustRead(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// WriteHTML writes the page: one file that needs no other.
func (p *Page) WriteHTML(w io.Writer) error {
	if err := templates.ExecuteTemplate(w, "page.html", p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// WriteSVG writes every plot as a file of its own into a directory, which it
// makes if it is not there. They follow the reader's choice of day or night.
func (p *Page) WriteSVG(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, s := range p.Sections {
		for _, f := range s.Figures {
			if err := f.Plot.writeSVG(filepath.Join(dir, f.Plot.Name+".svg")); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Plot) writeSVG(path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	alone := *p
	alone.Alone = true
	if err := templates.ExecuteTemplate(file, "plot.svg", &alone); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
