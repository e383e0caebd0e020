package shell

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"

	"github.com/nearlite/nearlite/dump"
)

// jsonLayout prints an array of objects, one on each line.
type jsonLayout struct {
	w     *bufio.Writer
	names [][]byte
	count int
}

func newJSONLayout(w *bufio.Writer, names []string) *jsonLayout {
	j := &jsonLayout{w: w}
	for _, name := range names {
		j.names = append(j.names, jsonString(name))
	}
	return j
}

func (j *jsonLayout) row(values []any) {
	if j.count++; j.count == 1 {
		j.w.WriteString("[{")
	} else {
		j.w.WriteString(",\n{")
	}
	for i, v := range values {
		if i > 0 {
			j.w.WriteByte(',')
		}
		j.w.Write(j.names[i])
		j.w.WriteByte(':')
		j.value(v)
	}
	j.w.WriteByte('}')
}

func (j *jsonLayout) value(v any) {
	switch v := v.(type) {
	case nil:
		j.w.WriteString("null")
	case float64:
		j.w.WriteString(dump.Number(v, -1))
	case string:
		j.w.Write(jsonString(v))
	case []byte:
		j.w.Write(jsonString(plain(v)))
	default:
		j.w.WriteString(plain(v))
	}
}

func (j *jsonLayout) end() {
	if j.count == 0 {
		j.w.WriteByte('[')
	}
	j.w.WriteString("]\n")
}

// jsonString quotes a text; < and & stay what they are, this is no web page.
func jsonString(text string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string into memory cannot fail
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// csvLayout prints comma-separated values after RFC 4180, with Unix line ends.
type csvLayout struct{ w *bufio.Writer }

func newCSVLayout(w *bufio.Writer, names []string) *csvLayout {
	c := &csvLayout{w}
	for i, name := range names {
		c.field(i, name)
	}
	w.WriteByte('\n')
	return c
}

func (c *csvLayout) row(values []any) {
	for i, v := range values {
		switch v := v.(type) {
		case nil:
			c.raw(i, "") // nothing at all; empty text has its quotes
		case float64:
			c.raw(i, dump.Number(v, -1))
		default:
			c.field(i, plain(v))
		}
	}
	c.w.WriteByte('\n')
}

func (c *csvLayout) end() {}

func (c *csvLayout) field(i int, text string) {
	if text == "" || strings.ContainsAny(text, ",\"\r\n") || text[0] == ' ' || text[len(text)-1] == ' ' {
		text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	c.raw(i, text)
}

func (c *csvLayout) raw(i int, text string) {
	if i > 0 {
		c.w.WriteByte(',')
	}
	c.w.WriteString(text)
}

// lineLayout prints “name = value” lines, and a blank one between two rows.
type lineLayout struct {
	p     *printer
	names []string
	count int
}

func newLineLayout(p *printer, names []string) *lineLayout {
	widest := 0
	for _, name := range names {
		widest = max(widest, width(visible(name)))
	}
	l := &lineLayout{p: p}
	for _, name := range names {
		name = visible(name)
		l.names = append(l.names, strings.Repeat(" ", widest-width(name))+name)
	}
	return l
}

func (l *lineLayout) row(values []any) {
	if l.count++; l.count > 1 {
		l.p.w.WriteByte('\n')
	}
	for i, v := range values {
		text := plain(v)
		if l.p.width > 0 {
			text = visible(text)
		}
		l.p.w.WriteString(l.names[i] + " = " + text + "\n")
	}
}

func (l *lineLayout) end() {}
