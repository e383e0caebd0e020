package server

import (
	"math"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	bounds := []float64{0.001, 0.002, 0.004}
	for name, test := range map[string]struct {
		durations []time.Duration
		q         float64
		want      float64
	}{
		"nothing":               {nil, 0.5, 0},
		"one":                   {[]time.Duration{time.Millisecond}, 1, 0.001},
		"half of the first":     {[]time.Duration{1, 1}, 0.5, 0.0005},
		"on a bound":            {[]time.Duration{1, 1, 3 * time.Millisecond, 3 * time.Millisecond}, 0.5, 0.001},
		"inside an interval":    {[]time.Duration{1, 1, 3 * time.Millisecond, 3 * time.Millisecond}, 0.75, 0.003},
		"beyond every bound":    {[]time.Duration{time.Second}, 0.99, 0.004},
		"over an empty place":   {[]time.Duration{1, 3 * time.Millisecond}, 1, 0.004},
		"the smallest of many":  {[]time.Duration{1500 * time.Microsecond, time.Second}, 0, 0.001},
		"a negative clock step": {[]time.Duration{-1}, 1, 0.001},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := NewSpread(bounds)
			for _, d := range test.durations {
				s.Add(d)
			}
			if got := s.Quantile(test.q); math.Abs(got-test.want) > 1e-12 {
				t.Errorf("the %v quantile of %v is %v, want %v", test.q, test.durations, got, test.want)
			}
		})
	}
}
