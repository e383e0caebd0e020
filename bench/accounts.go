package bench

import "math"

// Dist says how a ledger's callers choose accounts.
type Dist string

const (
	// Power is the article's power law: 99.95 % of the picks fall on the first
	// accounts, 0.05 % of them all.
	Power Dist = "power"
	// Billion is the power law over a billion accounts, whatever there are: the
	// ids drawn are folded into them. A table of a million has as many accounts
	// that everybody wants as the article's then, and as few collisions. With
	// Power it has a thousandth of them, on which transactions that hold row
	// locks over a network wait for one another all the time.
	Billion Dist = "billion"
	// Uniform picks every account equally often, so that a batch touches as
	// many pages as it has updates.
	Uniform Dist = "uniform"
)

// articleAccounts is how many accounts the article has.
const articleAccounts = 1_000_000_000

// powerLawShare is the article's p: the share of picks that goes to the few.
const powerLawShare = 0.9995

// powerLaw is the article's rand-pareto. For x uniform in [0, 1) and r accounts
// it is
//
//	a = log(1-p) / log(p)
//	y = (x^a + 1 - (1-x)^(1/a)) / 2
//	id = floor(r * y)
//
// The powers are taken through exp and log with a worked out once, a fifth of
// the price of two math.Pow and equal to them in the id.
type powerLaw struct {
	accounts float64
	a        float64
	tail     float64 // below this x, x^a is less than the smallest number there is
}

func newPowerLaw(accounts int64) powerLaw {
	a := math.Log(1-powerLawShare) / math.Log(powerLawShare)
	return powerLaw{accounts: float64(accounts), a: a, tail: math.Exp(-745 / a)}
}

func (l powerLaw) id(x float64) int64 {
	y := 1 - math.Exp(math.Log(1-x)/l.a)
	if x > l.tail {
		y += math.Exp(math.Log(x) * l.a)
	}
	return int64(l.accounts * (y / 2))
}

// picker draws account ids for one caller. Each caller has its own, so that
// they share nothing.
type picker struct {
	state    uint64
	accounts uint64
	law      powerLaw
	dist     Dist
}

func newPicker(dist Dist, accounts int64, caller int) picker {
	p := picker{
		state:    seed(uint64(caller)),
		accounts: uint64(accounts),
		law:      newPowerLaw(accounts),
		dist:     dist,
	}
	if dist == Billion {
		p.law = newPowerLaw(articleAccounts)
	}
	return p
}

// next draws the id of an account.
func (p *picker) next() int64 {
	n := p.random()
	if p.dist == Uniform {
		return int64(n % p.accounts)
	}
	id := p.law.id(float64(n>>11) / (1 << 53))
	if p.dist == Billion {
		return id % int64(p.accounts)
	}
	return id
}

// random is Marsaglia's xorshift: three shifts and no memory shared with
// anyone, as in the C limit.
func (p *picker) random() uint64 {
	p.state ^= p.state << 13
	p.state ^= p.state >> 7
	p.state ^= p.state << 17
	return p.state
}

// seed spreads neighbouring callers over the whole of xorshift's cycle and
// never returns zero, at which xorshift would stand still (splitmix64).
func seed(caller uint64) uint64 {
	z := (caller + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z ^ z>>31) | 1
}
