package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

// A Plot is one picture: SVG that is read aloud by its title and description.
type Plot struct {
	Name   string // of its file, without .svg
	Title  string // what one should see in it
	Desc   string // its figures in words
	Width  int
	Height int
	Shapes []Shape
	Alone  bool // in a file of its own, with its own style
}

// The room around a plot that is a file of its own.
const (
	margin   = 16
	headline = 21 // a line of the title
	titleMax = 84 // letters of one
)

// Headlines are the lines of the title above a plot that is alone.
func (p *Plot) Headlines() (lines []Shape) {
	y := -float64(p.Head()) + headline
	line := ""
	for word := range strings.FieldsSeq(clean(p.Title)) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > titleMax {
			lines = append(lines, Shape{Text: line, Y: y})
			line, y = "", y+headline
		}
		line = strings.TrimSpace(line + " " + short(word, titleMax))
	}
	return append(lines, Shape{Text: line, Y: y})
}

// Head is how high they are.
func (p *Plot) Head() int {
	return headline*(1+len([]rune(p.Title))/titleMax) + headline
}

// Box is what of the plane a plot shows.
func (p *Plot) Box() [4]int {
	if !p.Alone {
		return [4]int{0, 0, p.Width, p.Height}
	}
	return [4]int{-margin, -p.Head(), p.Width + 2*margin, p.Head() + p.Height + margin/2}
}

// A Shape is one element of a plot. Its Class decides its color, which differs
// by day and by night.
type Shape struct {
	Kind               string // rect, line, path, circle or text
	Class              string
	X, Y, W, H, X2, Y2 float64
	Path               string
	Text               string
	Anchor             string // of a text: start, middle or end
	Tip                string // shown when one points at it
}

// The geometry that all plots share, in the units of their view box. A letter is
// about so wide at the size that labels have.
const (
	plotWidth  = 760
	labelWidth = 7.1
	labelDrop  = 4.5 // from the middle of a label to its baseline
)

func (p *Plot) rect(class string, x, y, w, h float64, tip string) {
	p.Shapes = append(p.Shapes, Shape{Kind: "rect", Class: class, X: x, Y: y, W: max(w, 0.5), H: h, Tip: tip})
}

func (p *Plot) line(class string, x, y, x2, y2 float64) {
	p.Shapes = append(p.Shapes, Shape{Kind: "line", Class: class, X: x, Y: y, X2: x2, Y2: y2})
}

func (p *Plot) circle(class string, x, y, r float64, tip string) {
	p.Shapes = append(p.Shapes, Shape{Kind: "circle", Class: class, X: x, Y: y, W: r, Tip: tip})
}

func (p *Plot) text(class, anchor string, x, y float64, text string) {
	p.Shapes = append(p.Shapes, Shape{Kind: "text", Class: class, Anchor: anchor, X: x, Y: y, Text: text})
}

// path draws a line through points, x and y in turns.
func (p *Plot) path(class string, points []float64) {
	var d strings.Builder
	for i := 0; i+1 < len(points); i += 2 {
		letter := 'L'
		if i == 0 {
			letter = 'M'
		}
		fmt.Fprintf(&d, "%c%.1f %.1f", letter, points[i], points[i+1])
	}
	p.Shapes = append(p.Shapes, Shape{Kind: "path", Class: class, Path: d.String()})
}

// whisker draws a spread from one place to another on a horizontal line.
func (p *Plot) whisker(x, x2, y float64) {
	if x2-x < 1 {
		return
	}
	p.line("spread", x, y, x2, y)
	p.line("spread", x, y-4, x, y+4)
	p.line("spread", x2, y-4, x2, y+4)
}

// A scale maps values to places.
type scale struct {
	from, to float64 // values
	at, end  float64 // places
	log      bool
}

// of returns the place of a value; what lies outside is put on the edge.
func (s scale) of(v float64) float64 {
	from, to := s.from, s.to
	if s.log {
		v, from, to = math.Log(max(v, s.from)), math.Log(from), math.Log(to)
	}
	if to == from {
		return s.at
	}
	part := min(max((v-from)/(to-from), 0), 1)
	return s.at + part*(s.end-s.at)
}

// linear returns a scale from zero to a round number above the largest value,
// and where to put its ticks.
func linear(largest, at, end float64) (scale, []float64) {
	step := math.Pow(10, math.Floor(math.Log10(largest)))
	for _, finer := range []float64{0.1, 0.2, 0.25, 0.5, 1, 2} {
		if largest/(step*finer) <= 6 {
			step *= finer
			break
		}
	}
	top := math.Ceil(largest/step*1.0001) * step
	var ticks []float64
	for i := 0; float64(i)*step <= top*1.0001; i++ {
		ticks = append(ticks, float64(i)*step)
	}
	return scale{from: 0, to: top, at: at, end: end}, ticks
}

// logarithmic returns a scale over whole powers of ten.
func logarithmic(smallest, largest, at, end float64) (scale, []float64) {
	low, high := math.Floor(math.Log10(smallest)), math.Ceil(math.Log10(largest*1.001))
	var ticks []float64
	for e := low; e <= high; e++ {
		ticks = append(ticks, math.Pow(10, e))
	}
	return scale{from: math.Pow(10, low), to: math.Pow(10, high), at: at, end: end, log: true}, ticks
}

// clean takes out of a text what has no place in a line of a picture, and XML
// cannot hold.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar || r == 0xFFFE || r == 0xFFFF {
			return ' '
		}
		return r
	}, s)
}

// short cuts a text to so many letters.
func short(s string, n int) string {
	letters := []rune(s)
	if len(letters) <= n {
		return s
	}
	return string(letters[:n-1]) + "…"
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// list joins words with commas and an "and".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
