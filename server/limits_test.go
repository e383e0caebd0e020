package server

import (
	"testing"

	"github.com/nearlite/nearlite/server/token"
)

// A token's limits are on top of the server's: none of them allows more.
func TestNarrowed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rate  float64
		burst int
		own   token.Limits
		want  Limits
	}{
		{0, 0, token.Limits{Rate: 5}, Limits{Rate: 5, Burst: 5}},
		{0, 0, token.Limits{Rate: 5, Burst: 100}, Limits{Rate: 5, Burst: 100}},
		{100, 50, token.Limits{Rate: 5, Burst: 1000}, Limits{Rate: 5, Burst: 50}},
		{100, 50, token.Limits{Rate: 0.5}, Limits{Rate: 0.5, Burst: 1}},
		{100, 50, token.Limits{Rate: 500, Burst: 1000}, Limits{Rate: 100, Burst: 50}},
		{100, 50, token.Limits{Burst: 7}, Limits{Rate: 100, Burst: 7}},
		{100, 0, token.Limits{}, Limits{Rate: 100, Burst: 100}},
	} {
		server := Limits{Rate: test.rate, Burst: test.burst}.withDefaults()
		got := narrowed(server, &test.own)
		if got.Rate != test.want.Rate || got.Burst != test.want.Burst {
			t.Errorf("%g, %d with %+v: %g, %d", test.rate, test.burst, test.own, got.Rate, got.Burst)
		}
	}
}
