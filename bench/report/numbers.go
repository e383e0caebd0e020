package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nearlite/nearlite/bench"
)

// grouped writes a number with a comma between thousands.
func grouped(f float64) string {
	digits := strconv.FormatInt(int64(math.Round(f)), 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// brief writes a number as one says it: 178 k, 1.25 M.
func brief(f float64) string {
	switch {
	case f >= 1e6:
		return significant(f/1e6) + " M"
	case f >= 10_000:
		return significant(f/1e3) + " k"
	default:
		return grouped(f)
	}
}

// significant writes three digits and leaves zeros behind the point out.
func significant(f float64) string {
	if f >= 100 || f == 0 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(f)))
	power := math.Pow(10, float64(digits))
	return strconv.FormatFloat(math.Round(f*power)/power, 'f', -1, 64)
}

// times writes a ratio.
func times(f float64) string {
	if f < 10 {
		return strconv.FormatFloat(f, 'f', 2, 64) + "×"
	}
	return significant(f) + "×"
}

// tickName is a value's name on an axis, where a ratio needs no digits.
func tickName(name func(float64) string, v float64) string {
	if text := name(v); !strings.HasSuffix(text, "×") {
		return text
	}
	return significant(v) + "×"
}

// micros writes microseconds in the unit that suits them.
func micros(us float64) string {
	switch {
	case us < 1:
		return significant(us*1e3) + " ns"
	case us < 1e3:
		return significant(us) + " µs"
	case us < 1e6:
		return significant(us/1e3) + " ms"
	default:
		return significant(us/1e6) + " s"
	}
}

// bytes writes a size in the unit that suits it.
func bytes(n float64) string {
	switch {
	case n < 1<<10:
		return significant(n) + " B"
	case n < 1<<20:
		return significant(n/(1<<10)) + " KiB"
	case n < 1<<30:
		return significant(n/(1<<20)) + " MiB"
	default:
		return significant(n/(1<<30)) + " GiB"
	}
}

func seconds(s float64) string { return time.Duration(s * float64(time.Second)).String() }

// median returns the middle one, or the mean of both that are.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// spread returns the lowest and the highest of several runs, zeros of one.
func spread(values []float64) (low, high float64) {
	if len(values) < 2 {
		return 0, 0
	}
	return slices.Min(values), slices.Max(values)
}

// machines describes what the figures were measured on, each machine once.
func machines(all []on) string {
	var machines, loads []string
	for _, a := range all {
		machines = append(machines, machine(a.Machine, a.Library))
		load, _, _ := strings.Cut(a.Load, " ")
		loads = append(loads, load)
	}
	loads = slices.DeleteFunc(same(loads), func(load string) bool { return load == "" })
	text := strings.Join(same(machines), " · ")
	if len(loads) > 0 {
		text += "; load average when it was over: " + clean(list(loads))
	}
	return text
}

// on is what one file says it was measured on.
type on struct {
	bench.Machine
	bench.Library
}

func machine(m bench.Machine, l bench.Library) string {
	cores := fmt.Sprintf("%d × %s", m.Cores, cmp.Or(m.CPU, m.Arch))
	if m.CgroupCPUs > 0 {
		cores += fmt.Sprintf(" (%g allowed)", m.CgroupCPUs)
	}
	if m.Memory > 0 {
		cores += ", " + bytes(float64(m.Memory)) + " of memory"
	}
	return clean(fmt.Sprintf("%s; %s; %s %s; SQLite %s, %s", cores, cmp.Or(m.FileSystem, "file system unknown"), m.OS, m.Kernel, l.Version, m.Go))
}

// same returns the values without repetitions, in their order.
func same[T comparable](values []T) []T {
	var out []T
	for _, v := range values {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
