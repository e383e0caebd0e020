package bench

import (
	"math"
	"testing"
)

// formula is the article's rand-pareto, word for word.
func formula(r, p, x float64) int64 {
	a := math.Log(1-p) / math.Log(p)
	y := (math.Pow(x, a) + 1 - math.Pow(1-x, 1/a)) / 2
	return int64(r * y)
}

func TestPowerLawIsTheArticlesFormula(t *testing.T) {
	t.Parallel()
	for _, accounts := range []int64{1, 1000, 1_000_000, 1_000_000_000} {
		law := newPowerLaw(accounts)
		pick := newPicker(Power, accounts, 0)
		for range 100_000 {
			x := float64(pick.random()>>11) / (1 << 53)
			got, want := law.id(x), formula(float64(accounts), powerLawShare, x)
			// A number that rounds differently may fall on the next account.
			if d := got - want; d < -1 || d > 1 {
				t.Fatalf("%d accounts, x = %v: id %d, the formula says %d", accounts, x, got, want)
			}
		}
	}
}

func TestPowerLawAtItsEnds(t *testing.T) {
	t.Parallel()
	law := newPowerLaw(1_000_000)
	for _, x := range []float64{0, math.SmallestNonzeroFloat64, 0.5, law.tail, 1 - 1.0/(1<<53)} {
		if id := law.id(x); id < 0 || id >= 1_000_000 {
			t.Errorf("x = %v: id %d is no account", x, id)
		}
	}
}

// The article: 99.95 % of the picks fall on 0.05 % of the accounts. The mean
// pick follows from the formula: half the accounts times the integral of
// x^a + 1 - (1-x)^(1/a), which is 1/(a+1) + 1 - a/(a+1) = 2/(a+1).
func TestPowerLawMoments(t *testing.T) {
	t.Parallel()
	const accounts, picks = 1_000_000_000, 2_000_000
	pick := newPicker(Power, accounts, 7)
	var few int
	var sum float64
	for range picks {
		id := pick.next()
		if id < accounts*0.0005 {
			few++
		}
		sum += float64(id)
	}
	if share := float64(few) / picks; share < 0.9993 || share > 0.9997 {
		t.Errorf("%.4f of the picks fall on the first 0.05 %% of the accounts, want 0.9995", share)
	}
	a := math.Log(1-powerLawShare) / math.Log(powerLawShare)
	mean, want := sum/picks/accounts, 1/(a+1)
	// Half of the mean comes from one pick in 15,000: its deviation is 3 %.
	if mean < 0.85*want || mean > 1.15*want {
		t.Errorf("mean pick at %.3e of the accounts, want %.3e", mean, want)
	}
}

// The law of a billion on a small table has the article's collisions: of so many
// picks, about as many fall on an account that was picked before.
func TestBillionCollidesLikeABillion(t *testing.T) {
	t.Parallel()
	again := func(dist Dist, accounts int64) (n int) {
		pick, seen := newPicker(dist, accounts, 5), map[int64]bool{}
		for range 10_000 {
			id := pick.next()
			if id < 0 || id >= accounts {
				t.Fatalf("%s of %d accounts: id %d", dist, accounts, id)
			}
			if seen[id] {
				n++
			}
			seen[id] = true
		}
		return n
	}
	billion, folded, plain := again(Power, 1_000_000_000), again(Billion, 1_000_000), again(Power, 1_000_000)
	if d := folded - billion; d < -200 || d > 200 {
		t.Errorf("%d picks of 10,000 fall on a billion accounts twice, %d on a million with the law of a billion", billion, folded)
	}
	if plain < 9000 {
		t.Errorf("%d picks of 10,000 fall on a million twice: the reason for the other law is gone", plain)
	}
}

func TestUniformMoments(t *testing.T) {
	t.Parallel()
	const accounts, picks = 1000, 1_000_000
	pick := newPicker(Uniform, accounts, 3)
	var seen [accounts]int
	for range picks {
		seen[pick.next()]++
	}
	// Each count is binomial: six deviations of the mean 1000 are 190.
	for id, n := range seen {
		if n < 810 || n > 1190 {
			t.Errorf("account %d was picked %d times in %d", id, n, picks)
		}
	}
}

func TestCallersPickApart(t *testing.T) {
	t.Parallel()
	seen := map[uint64]bool{}
	for caller := range 100_000 {
		pick := newPicker(Uniform, 1, caller)
		if pick.state == 0 || seen[pick.state] {
			t.Fatalf("caller %d begins at %d, where another did or where xorshift stands still", caller, pick.state)
		}
		seen[pick.state] = true
	}
}

func BenchmarkPickPower(b *testing.B) {
	pick := newPicker(Power, 1_000_000_000, 0)
	for b.Loop() {
		pick.next()
	}
}
