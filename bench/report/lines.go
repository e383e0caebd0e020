package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// lines is a plot of curves over something that is counted.
type lines struct {
	name, title  string
	xAxis, yAxis string
	xName, yName func(float64) string
	logX         bool
	even         string // what a line at one means, "" for none
	curves       []curve
}

type curve struct {
	label  string
	class  string
	dashed bool // no measurement: what would be ideal
	points []point
}

type point struct{ x, y, low, high float64 }

const (
	linesHeight = 320
	linesLeft   = 74
	linesBottom = linesHeight - 50
	linesTop    = 22
)

func (l lines) plot() *Plot {
	p := &Plot{Name: l.name, Title: l.title, Desc: l.words(), Width: plotWidth, Height: linesHeight}
	right := plotWidth - l.room()
	y, ticks := linear(l.largest(), linesBottom, linesTop)
	for _, tick := range ticks {
		p.line("grid", linesLeft, y.of(tick), right, y.of(tick))
		p.text("tick", "end", linesLeft-8, y.of(tick)+labelDrop, tickName(l.yName, tick))
	}
	x := l.drawX(p, right)
	p.text("axis", "start", 0, 12, l.yAxis)
	p.text("axis", "end", right, linesHeight-4, l.xAxis)
	if l.even != "" {
		p.line("even", linesLeft, y.of(1), right, y.of(1))
	}
	for _, c := range l.curves {
		l.drawCurve(p, c, x, y)
	}
	if l.even != "" {
		p.text("even-label", "start", linesLeft+4, y.of(1)+14, l.even)
	}
	l.drawLabels(p, x, y)
	return p
}

// room is how much the labels at the ends of the curves need.
func (l lines) room() float64 {
	longest := 0
	for _, c := range l.curves {
		longest = max(longest, len([]rune(short(c.label, 30))))
	}
	return float64(longest)*labelWidth + 18
}

func (l lines) largest() float64 {
	largest := 0.0
	for _, c := range l.curves {
		for _, p := range c.points {
			largest = max(largest, p.y, p.high)
		}
	}
	return largest
}

// places are all x that some curve has a point at.
func (l lines) places() []float64 {
	var places []float64
	for _, c := range l.curves {
		for _, p := range c.points {
			places = append(places, p.x)
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

func (l lines) drawX(p *Plot, right float64) scale {
	places := l.places()
	x := scale{from: places[0], to: places[len(places)-1], at: linesLeft + 14, end: right - 14, log: l.logX}
	last := math.Inf(-1)
	for _, place := range places {
		name := l.xName(place)
		if wide := float64(len(name))*labelWidth + 6; x.of(place)-last < wide {
			continue
		}
		last = x.of(place)
		p.text("tick", "middle", last, linesBottom+20, name)
	}
	p.line("base", linesLeft, linesBottom, right, linesBottom)
	return x
}

func (l lines) drawCurve(p *Plot, c curve, x, y scale) {
	var at []float64
	for _, point := range c.points {
		at = append(at, x.of(point.x), y.of(point.y))
	}
	class := "curve " + c.class
	if c.dashed {
		p.path("ideal", at)
		return
	}
	p.path(class, at)
	for _, point := range c.points {
		px := x.of(point.x)
		if point.low > 0 {
			p.line("spread", px, y.of(point.low), px, y.of(point.high))
		}
		p.circle(c.class, px, y.of(point.y), 3.5, fmt.Sprintf("%s, %s: %s", c.label, l.xName(point.x), l.yName(point.y)))
	}
}

// drawLabels names each curve at its end, moved apart where ends are close.
func (l lines) drawLabels(p *Plot, x, y scale) {
	type label struct {
		curve
		x, y float64
	}
	var labels []label
	for _, c := range l.curves {
		if end := c.points[len(c.points)-1]; len(c.points) > 0 {
			labels = append(labels, label{c, x.of(end.x), y.of(end.y)})
		}
	}
	slices.SortStableFunc(labels, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	for i := 1; i < len(labels); i++ {
		labels[i].y = max(labels[i].y, labels[i-1].y+16)
	}
	for i := len(labels) - 1; i >= 0; i-- { // and none below the plot
		limit := float64(linesBottom) - 16*float64(len(labels)-1-i)
		labels[i].y = min(labels[i].y, limit)
	}
	for _, label := range labels {
		class := "curve-label " + label.class
		if label.dashed {
			class = "curve-label quiet"
		}
		p.text(class, "start", label.x+10, label.y+labelDrop, short(label.label, 30))
	}
}

func (l lines) words() string {
	var w strings.Builder
	fmt.Fprintf(&w, "Curves: %s by %s.", l.yAxis, l.xAxis)
	for _, c := range l.curves {
		fmt.Fprintf(&w, " %s:", c.label)
		for i, p := range c.points {
			if i > 0 {
				w.WriteString(",")
			}
			fmt.Fprintf(&w, " %s at %s", l.yName(p.y), l.xName(p.x))
		}
		w.WriteString(".")
	}
	return w.String()
}

func (l lines) table() *Table {
	t := &Table{Head: []string{l.xAxis}}
	for _, c := range l.curves {
		t.Head = append(t.Head, c.label)
	}
	for _, x := range l.places() {
		row := []string{l.xName(x)}
		for _, c := range l.curves {
			cell := "–"
			for _, p := range c.points {
				if p.x == x {
					cell = l.yName(p.y)
				}
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
