package report

import (
	"cmp"
	"fmt"
	"strings"
)

// bars is a plot of horizontal bars in groups.
type bars struct {
	name, title string
	axis        string // what a bar's length means
	groups      []barGroup
	unit        func(float64) string
	even        string // what it means to end at one, "" for nothing
	legend      []entry
}

// entry says what a color means.
type entry struct{ class, text string }

type barGroup struct {
	title string
	bars  []bar
}

type bar struct {
	label     string
	name      string // in words, if the label does not say all
	half      int    // 1 and 2: the upper and the lower of a pair
	class     string // whose it is
	value     float64
	low, high float64 // spread; zero: none known
}

// full names a bar where there is no plot around it.
func (b bar) full() string { return cmp.Or(b.name, b.label) }

// row returns how high the bar is, and its row.
func (b bar) row() (height, row float64) {
	switch b.half {
	case 1:
		return 13, 15
	case 2:
		return 13, 24
	}
	return 18, barRow
}

const (
	barRow      = 26
	groupHeight = 30
	plotTop     = 14
	axisHeight  = 44
)

func (b bars) plot() *Plot {
	p := &Plot{Name: b.name, Title: b.title, Desc: b.words(), Width: plotWidth}
	left := b.left()
	top := b.drawLegend(p)
	height := top
	for _, g := range b.groups {
		height += b.groupHeight(g)
		for _, bar := range g.bars {
			_, row := bar.row()
			height += row
		}
	}
	p.Height = int(height) + axisHeight
	x, ticks := linear(b.largest(), left, plotWidth-92)
	b.drawAxis(p, x, ticks, top, height)
	if b.even != "" {
		p.line("even", x.of(1), top, x.of(1), height+6)
		p.text("even-label", "middle", x.of(1), height+38, b.even)
	}
	y := top
	for _, g := range b.groups {
		if g.title != "" {
			p.text("group", "start", 0, y+groupHeight-10, short(g.title, 100))
		}
		y += b.groupHeight(g)
		for _, bar := range g.bars {
			height, row := bar.row()
			b.drawBar(p, x, bar, left, y, height)
			y += row
		}
	}
	return p
}

// drawLegend says what the colors mean, if it has to be said, and returns where
// the plot begins.
func (b bars) drawLegend(p *Plot) (top float64) {
	x := 0.0
	for _, e := range b.legend {
		p.rect(e.class, x, 4, 13, 13, "")
		p.text("label", "start", x+19, 10.5+labelDrop, e.text)
		x += 19 + float64(len(e.text))*labelWidth + 24
	}
	if len(b.legend) == 0 {
		return plotTop
	}
	return plotTop + 18
}

func (b bars) groupHeight(g barGroup) float64 {
	if g.title == "" {
		return 6
	}
	return groupHeight
}

// left is how much room labels need.
func (b bars) left() float64 {
	longest := 0
	for _, g := range b.groups {
		for _, bar := range g.bars {
			longest = max(longest, len([]rune(bar.label)))
		}
	}
	return min(max(float64(longest)*labelWidth+14, 70), 330)
}

// largest is where the axis ends: at the end of the longest spread, but at no
// more than twice the longest bar, for one bad round would make all bars short.
func (b bars) largest() float64 {
	value, high := 0.0, 0.0
	if b.even != "" {
		value = 1
	}
	for _, g := range b.groups {
		for _, bar := range g.bars {
			value, high = max(value, bar.value), max(high, bar.high)
		}
	}
	return max(value, min(high, 2*value))
}

func (b bars) drawAxis(p *Plot, x scale, ticks []float64, top, bottom float64) {
	for _, tick := range ticks {
		p.line("grid", x.of(tick), top, x.of(tick), bottom)
		p.text("tick", "middle", x.of(tick), bottom+18, tickName(b.unit, tick))
	}
	p.text("axis", "end", plotWidth, bottom+38, b.axis)
}

func (b bars) drawBar(p *Plot, x scale, bar bar, left, top, height float64) {
	y := top + height/2 + 2
	label := y
	if bar.half == 1 {
		label = top + 17 // beside both
	}
	p.text("label", "end", left-8, label+labelDrop, short(bar.label, 44))
	p.rect(bar.class, left, y-height/2, x.of(bar.value)-left, height, bar.full()+": "+b.spread(bar))
	end := x.of(bar.value)
	if bar.low > 0 {
		p.whisker(x.of(bar.low), x.of(bar.high), y)
		end = max(end, x.of(bar.high))
		if bar.high > x.to { // it goes on beyond the plot
			p.path("beyond", []float64{end, y - 4, end + 5, y, end, y + 4})
		}
	}
	p.text("value", "start", end+7, y+labelDrop, b.unit(bar.value))
}

func (b bars) spread(bar bar) string {
	if bar.low == 0 || bar.low == bar.high {
		return b.unit(bar.value)
	}
	return fmt.Sprintf("%s (%s to %s)", b.unit(bar.value), b.unit(bar.low), b.unit(bar.high))
}

// words says what the plot shows to one who cannot see it.
func (b bars) words() string {
	var w strings.Builder
	fmt.Fprintf(&w, "Bars: %s.", b.axis)
	for _, g := range b.groups {
		if g.title != "" {
			fmt.Fprintf(&w, " %s:", g.title)
		}
		for i, bar := range g.bars {
			if i > 0 {
				w.WriteString(",")
			}
			fmt.Fprintf(&w, " %s %s", bar.full(), b.spread(bar))
		}
		w.WriteString(".")
	}
	return w.String()
}

// table returns the same figures as rows.
func (b bars) table() *Table {
	t := &Table{Head: []string{"", b.axis, "lowest", "highest"}}
	for _, g := range b.groups {
		for _, bar := range g.bars {
			label := bar.full()
			if g.title != "" {
				label = g.title + ": " + label
			}
			low, high := "–", "–"
			if bar.low > 0 {
				low, high = b.unit(bar.low), b.unit(bar.high)
			}
			t.Rows = append(t.Rows, []string{label, b.unit(bar.value), low, high})
		}
	}
	return t
}
