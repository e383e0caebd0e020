package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// table prints figures under one another. The first error ends it.
type table struct {
	w   io.Writer
	err error
}

func (t *table) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

func (t *table) title(format string, args ...any) { t.printf(format+"\n", args...) }

func (t *table) row(name, value string) { t.printf("  %-22s %s\n", name, value) }

// machine says what the figures above were measured on.
func (t *table) machine(m Machine, l Library) {
	t.hardware(m)
	t.row("software", fmt.Sprintf("SQLite %s, %s", l.Version, m.Go))
}

func (t *table) hardware(m Machine) {
	limit := ""
	if m.CgroupCPUs > 0 {
		limit = fmt.Sprintf(", %g allowed", m.CgroupCPUs)
	}
	t.row("machine", fmt.Sprintf("%d × %s%s, %s, %s %s", m.Cores, m.CPU, limit, m.FileSystem, m.OS, m.Kernel))
}

// grouped writes a number with a comma between thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// duration writes microseconds in the unit that suits them.
func duration(us float64) string {
	d := time.Duration(us * float64(time.Microsecond))
	switch {
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.2f µs", us)
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.2f ms", us/1e3)
	default:
		return fmt.Sprintf("%.2f s", us/1e6)
	}
}

// size writes bytes in the unit that suits them.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	}
}

// WriteJSON writes a report to a file.
func WriteJSON(path string, report any) error {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
