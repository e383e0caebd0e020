package nearlite

import (
	"fmt"

	"pgregory.net/rapid"
)

// A plan says what every caller of a model test does. It is drawn by rapid, so
// that a failure prints its seed and is shrunk to the fewest steps that show it.
type plan struct {
	Callers [][]txnPlan
	Gate    bool // the first transactions of all callers meet in one batch
	Options optionsPlan
}

type optionsPlan struct {
	Durability Durability
	PageSize   int
	Checkpoint int64
	Mmap       int64
	Contended  int // LeaseContended in ms
}

// txnPlan is one transaction.
type txnPlan struct {
	Vehicle vehicle
	Steps   []step
	End     ending
	Cancel  int // its context ends before that step; 0: never
	Think   int // interactive: before that step its client is idle for a while; 0: never
}

type vehicle int

const (
	byUpdate vehicle = iota
	byExec           // one statement
	byBatch
	byBegin
	byView
	byHeld // a read-only Begin
	byExclusive
)

type ending int

const (
	endWell      ending = iota
	endError            // the closure returns an error, the client rolls back
	endPanic            // the closure panics
	endGoexit           // the closure ends its goroutine
	endLost             // a statement with OR ROLLBACK fails: SQLite drops the whole transaction
	endLostQuiet        // the same, and the closure ignores it
	endBroken           // the last statement fails
	endForget           // interactive: the client never comes back
)

// step is one thing a transaction does.
type step struct {
	Kind stepKind
	A, B int // accounts or parents
	D    int // an amount
}

type stepKind int

const (
	stepAdd        stepKind = iota // account A gets D more
	stepCopy                       // account B gets what A has, read in Go, and D more
	stepSum                        // read the sum of all accounts
	stepRead                       // read one account
	stepRefused                    // a statement fails, and the closure goes on
	stepUndone                     // add in a savepoint of the closure's own, and roll it back
	stepSaved                      // add in a savepoint that is released
	stepLeftOpen                   // add in a savepoint that is left open
	stepParent                     // add parent A unless it is there
	stepChild                      // add a child of parent A, which need not be there
	stepDropParent                 // delete parent A, whose children may be left
	stepWrap                       // a child of a parent that comes later
	stepCounters                   // read changes() and last_insert_rowid() where they are known
	stepDDL                        // create an index and drop it
	stepKinds
)

const (
	accounts = 6
	parents  = 3
)

func drawStep() *rapid.Generator[step] {
	return rapid.Custom(func(t *rapid.T) step {
		return step{
			Kind: stepKind(rapid.IntRange(0, int(stepKinds)-1).Draw(t, "kind")),
			A:    rapid.IntRange(0, accounts-1).Draw(t, "a"),
			B:    rapid.IntRange(0, accounts-1).Draw(t, "b"),
			D:    rapid.IntRange(-9, 9).Draw(t, "d"),
		}
	})
}

// Half of all transactions are plain ones that succeed; a batch in which
// everything fails hides what goes wrong between neighbours.
var (
	vehicles = []vehicle{byUpdate, byUpdate, byUpdate, byUpdate, byExec, byExec, byExec, byBatch, byBatch, byBegin, byBegin, byView, byView, byHeld, byExclusive}
	endings  = []ending{endWell, endWell, endWell, endWell, endWell, endWell, endWell, endError, endPanic, endGoexit, endLost, endLostQuiet, endBroken, endForget}
)

func drawTxn() *rapid.Generator[txnPlan] {
	return rapid.Custom(func(t *rapid.T) txnPlan {
		p := txnPlan{
			Vehicle: rapid.SampledFrom(vehicles).Draw(t, "vehicle"),
			Steps:   rapid.SliceOfN(drawStep(), 1, 5).Draw(t, "steps"),
			End:     rapid.SampledFrom(endings).Draw(t, "end"),
		}
		if rapid.IntRange(0, 9).Draw(t, "cancelled") == 9 {
			p.Cancel = rapid.IntRange(1, 1+len(p.Steps)).Draw(t, "cancel")
		}
		if p.Vehicle == byBegin && rapid.IntRange(0, 2).Draw(t, "thinks") == 2 {
			p.Think = rapid.IntRange(1, 1+len(p.Steps)).Draw(t, "think")
		}
		return p
	})
}

func drawPlan(t *rapid.T) plan {
	return plan{
		Callers: rapid.SliceOfN(rapid.SliceOfN(drawTxn(), 1, 8), 1, 12).Draw(t, "callers"),
		Gate:    rapid.Bool().Draw(t, "gate"),
		Options: optionsPlan{
			Durability: rapid.SampledFrom([]Durability{Normal, Normal, Full}).Draw(t, "durability"),
			PageSize:   rapid.SampledFrom([]int{4096, 512, 65536}).Draw(t, "page size"),
			Checkpoint: rapid.SampledFrom([]int64{0, 16 << 10}).Draw(t, "checkpoint"),
			Mmap:       rapid.SampledFrom([]int64{0, -1}).Draw(t, "mmap"),
			Contended:  rapid.SampledFrom([]int{5, 500}).Draw(t, "lease"),
		},
	}
}

// risky reports whether the transaction may fail by the state it meets.
func (p txnPlan) risky() bool {
	for _, s := range p.Steps {
		if s.Kind == stepChild || s.Kind == stepDropParent {
			return true
		}
	}
	return false
}

func (v vehicle) String() string {
	return [...]string{"Update", "Exec", "Batch", "Begin", "View", "Begin read-only", "Exclusive"}[v]
}

func (p txnPlan) String() string {
	return fmt.Sprintf("%v%+v end=%d cancel=%d think=%d", p.Vehicle, p.Steps, p.End, p.Cancel, p.Think)
}
