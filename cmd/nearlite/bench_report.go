package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	benchreport "github.com/nearlite/nearlite/bench/report"
)

// ReportCmd is nearlite bench report.
type ReportCmd struct {
	Files  []string `arg:"" name:"file" help:"JSON files that the other workloads of nearlite bench have written; several runs of the same show their spread."`
	Output string   `short:"o" default:"bench.html" placeholder:"FILE" help:"The page; - is standard output (default: ${default})."`
	SVG    string   `name:"svg" placeholder:"DIR" help:"Also write each plot as an SVG file into DIR."`
}

// Help is the end of nearlite bench report --help.
func (ReportCmd) Help() string {
	return `The page is one file without scripts that asks nobody for anything, and it follows
the reader's choice of day or night.

  nearlite bench blobs --article --json blobs.json
  nearlite bench report blobs.json ledger-*.json -o bench.html
  nearlite bench report bin/bench/*.json --svg docs/plots`
}

// Run reads all files before it writes any.
func (c *ReportCmd) Run(_ context.Context, env *Env) error {
	reports := make([]*benchreport.Report, len(c.Files))
	for i, file := range c.Files {
		var err error
		if reports[i], err = benchreport.Load(file); err != nil {
			return err
		}
	}
	page, err := benchreport.New(reports)
	if err != nil {
		return err
	}
	if c.SVG != "" {
		if err := page.WriteSVG(c.SVG); err != nil {
			return err
		}
	}
	if c.Output == "-" {
		return page.WriteHTML(env.Stdout)
	}
	return c.write(page, env)
}

func (c *ReportCmd) write(page *benchreport.Page, env *Env) (err error) {
	file, err := os.Create(c.Output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := page.WriteHTML(file); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, c.Output)
	return err
}
