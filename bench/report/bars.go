package report

import (
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
}

type barGroup struct {
	title string
	bars  []bar
}

type bar struct {
	label     string
	class     string // whose it is
	value     float64
	low, high float64 // spread; zero: none known
}

const (
	barHeight   = 18
	barRow      = 26
	groupHeight = 30
	plotTop     = 14
	axisHeight  = 44
)

func (b bars) plot() *Plot {
	p := &Plot{Name: b.name, Title: b.title, Desc: b.words(), Width: plotWidth}
	left := b.left()
	height := float64(plotTop)
	for _, g := range b.groups {
		height += b.groupHeight(g) + barRow*float64(len(g.bars))
	}
	p.Height = int(height) + axisHeight
	x, ticks := linear(b.largest(), left, plotWidth-92)
	b.drawAxis(p, x, ticks, height)
	y := float64(plotTop)
	for _, g := range b.groups {
		if g.title != "" {
			p.text("group", "start", 0, y+groupHeight-10, short(g.title, 100))
		}
		y += b.groupHeight(g)
		for _, bar := range g.bars {
			b.drawBar(p, x, bar, left, y+barRow/2)
			y += barRow
		}
	}
	if b.even != "" {
		p.line("even", x.of(1), plotTop, x.of(1), height+6)
		p.text("even-label", "middle", x.of(1), height+40, b.even)
	}
	return p
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

func (b bars) largest() float64 {
	largest := 0.0
	if b.even != "" {
		largest = 1
	}
	for _, g := range b.groups {
		for _, bar := range g.bars {
			largest = max(largest, bar.value, bar.high)
		}
	}
	return largest
}

func (b bars) drawAxis(p *Plot, x scale, ticks []float64, bottom float64) {
	for _, tick := range ticks {
		p.line("grid", x.of(tick), plotTop, x.of(tick), bottom)
		if b.even == "" || tick != 1 {
			p.text("tick", "middle", x.of(tick), bottom+18, b.unit(tick))
		}
	}
	if b.even != "" {
		p.text("tick", "middle", x.of(1), bottom+22, "1")
	}
	p.text("axis", "end", plotWidth, bottom+38, b.axis)
}

func (b bars) drawBar(p *Plot, x scale, bar bar, left, y float64) {
	text := b.unit(bar.value)
	p.text("label", "end", left-8, y+labelDrop, short(bar.label, 44))
	p.rect(bar.class, left, y-barHeight/2, x.of(bar.value)-left, barHeight, bar.label+": "+b.spread(bar))
	end := x.of(bar.value)
	if bar.low > 0 {
		p.whisker(x.of(bar.low), x.of(bar.high), y)
		end = max(end, x.of(bar.high))
	}
	p.text("value", "start", end+7, y+labelDrop, text)
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
			fmt.Fprintf(&w, " %s %s", bar.label, b.spread(bar))
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
			label := bar.label
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
