package shell

import (
	"strings"
)

// sampleRows is how many rows a table looks at before it decides how wide its
// columns are; the later ones are printed as they come.
const sampleRows = 1000

// widthLeast is what a column keeps when a table is cut to fit the terminal.
const widthLeast = 8

// tableLayout prints columns under each other.
type tableLayout struct {
	p      *printer
	names  []string
	sample [][]any // rows that wait for the widths; nil once these are known
	known  bool
	widths []int
}

func newTableLayout(p *printer, names []string) *tableLayout {
	return &tableLayout{p: p, names: names}
}

func (t *tableLayout) row(values []any) {
	if t.known {
		t.print(values)
		return
	}
	t.sample = append(t.sample, values)
	if len(t.sample) == sampleRows {
		t.begin()
	}
}

func (t *tableLayout) end() {
	if !t.known {
		t.begin()
	}
}

// begin decides the widths, and prints the head and the rows that waited.
func (t *tableLayout) begin() {
	t.known = true
	t.widths = make([]int, len(t.names))
	for i, name := range t.names {
		t.widths[i] = width(visible(name))
	}
	for _, row := range t.sample {
		for i, v := range row {
			t.widths[i] = max(t.widths[i], width(visible(plain(v))))
		}
	}
	t.fit()
	t.head()
	for _, row := range t.sample {
		t.print(row)
	}
	t.sample = nil
}

// fit narrows the widest columns until a line fits the terminal, as far as it
// may. On anything but a terminal nothing is cut.
func (t *tableLayout) fit() {
	if t.p.width == 0 || len(t.widths) == 0 {
		return
	}
	total := 3*len(t.widths) - 1
	for _, w := range t.widths {
		total += w
	}
	for ; total > t.p.width; total-- {
		widest := 0
		for i, w := range t.widths {
			if w > t.widths[widest] {
				widest = i
			}
		}
		if t.widths[widest] <= widthLeast {
			return
		}
		t.widths[widest]--
	}
}

func (t *tableLayout) head() {
	rules := make([]string, len(t.names))
	for i, name := range t.names {
		t.cell(i, visible(name), false, false)
		rules[i] = strings.Repeat("─", t.widths[i]+2)
	}
	t.p.w.WriteString("\n" + strings.Join(rules, "┼") + "\n")
}

func (t *tableLayout) print(values []any) {
	for i, v := range values {
		switch v.(type) {
		case int64, float64:
			t.cell(i, plain(v), true, false)
		case nil:
			t.cell(i, null, false, t.p.color)
		default:
			t.cell(i, visible(plain(v)), false, false)
		}
	}
	t.p.w.WriteByte('\n')
}

// cell prints one cell; the last of a line has no blanks behind it.
func (t *tableLayout) cell(i int, text string, right, dim bool) {
	if t.p.width > 0 && width(text) > t.widths[i] {
		text = wide.Truncate(text, t.widths[i], "…")
	}
	blanks := strings.Repeat(" ", max(0, t.widths[i]-width(text)))
	if dim {
		text = "\x1b[2m" + text + "\x1b[0m"
	}
	if i > 0 {
		t.p.w.WriteString("│")
	}
	last := i == len(t.widths)-1
	switch {
	case right:
		t.p.w.WriteString(" " + blanks + text)
	case last:
		t.p.w.WriteString(" " + text)
	default:
		t.p.w.WriteString(" " + text + blanks)
	}
	if !last {
		t.p.w.WriteByte(' ')
	}
}
