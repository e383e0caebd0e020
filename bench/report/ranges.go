package report

import (
	"fmt"
	"strings"
)

// ranges is a plot of distributions: the median, the 99th percentile and the
// longest of each, on one line, by powers of ten.
type ranges struct {
	name, title string
	rows        []distribution
}

type distribution struct {
	label         string
	class         string
	p50, p99, max float64 // microseconds; max is zero if it is not known
}

func (r ranges) plot() *Plot {
	p := &Plot{Name: r.name, Title: r.title, Desc: r.words(), Width: plotWidth}
	left := bars{groups: []barGroup{{bars: r.labels()}}}.left() // as wide as in a plot of bars
	bottom := plotTop + 14 + barRow*float64(len(r.rows))
	p.Height = int(bottom) + axisHeight
	smallest, largest := r.bounds()
	x, ticks := logarithmic(smallest, largest, left, plotWidth-60)
	for _, tick := range ticks {
		p.line("grid", x.of(tick), plotTop, x.of(tick), bottom)
		p.text("tick", "middle", x.of(tick), bottom+18, micros(tick))
	}
	p.text("axis", "end", plotWidth, bottom+38, r.axis())
	y := float64(plotTop) + 14
	for _, row := range r.rows {
		r.drawRow(p, x, row, left, y+barRow/2)
		y += barRow
	}
	return p
}

func (r ranges) axis() string {
	axis := "waited for one request: ● median, ◆ 99 %"
	if r.rows[0].max > 0 {
		axis += ", │ the longest"
	}
	return axis
}

func (r ranges) labels() (all []bar) {
	for _, row := range r.rows {
		all = append(all, bar{label: row.label})
	}
	return all
}

func (r ranges) bounds() (smallest, largest float64) {
	smallest = r.rows[0].p50
	for _, row := range r.rows {
		smallest, largest = min(smallest, row.p50), max(largest, row.p99, row.max)
	}
	return smallest, largest
}

func (r ranges) drawRow(p *Plot, x scale, row distribution, left, y float64) {
	p.text("label", "end", left-8, y+labelDrop, short(row.label, 44))
	end := max(row.p99, row.max)
	p.line("span "+row.class, x.of(row.p50), y, x.of(end), y)
	if row.max > 0 {
		p.line("span "+row.class, x.of(row.max), y-6, x.of(row.max), y+6)
	}
	p.circle(row.class, x.of(row.p50), y, 6, row.label+": median "+micros(row.p50))
	at := x.of(row.p99)
	p.Shapes = append(p.Shapes, Shape{Kind: "path", Class: row.class, Tip: row.label + ": 99 % within " + micros(row.p99),
		Path: fmt.Sprintf("M%.1f %.1fL%.1f %.1fL%.1f %.1fL%.1f %.1fZ", at-6, y, at, y-6, at+6, y, at, y+6)})
	p.text("value", "start", x.of(end)+10, y+labelDrop, micros(row.p99))
}

func (r ranges) words() string {
	var w strings.Builder
	w.WriteString("Distributions of the time waited for one request.")
	for _, row := range r.rows {
		fmt.Fprintf(&w, " %s: median %s, 99 percent within %s", row.label, micros(row.p50), micros(row.p99))
		if row.max > 0 {
			fmt.Fprintf(&w, ", the longest %s", micros(row.max))
		}
		w.WriteString(".")
	}
	return w.String()
}

func (r ranges) table() *Table {
	t := &Table{Head: []string{"", "median", "99 %", "longest"}}
	for _, row := range r.rows {
		longest := "–"
		if row.max > 0 {
			longest = micros(row.max)
		}
		t.Rows = append(t.Rows, []string{row.label, micros(row.p50), micros(row.p99), longest})
	}
	return t
}
