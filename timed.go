package nearlite

import "context"

// Timed is for contexts that bound the time of a transaction's work and not that of its
// turn to come: one that has these methods is told where it is. They are called in
// turns, the first of them by the goroutine that has the context, and must not wait.
type Timed interface {
	context.Context
	Waits() // for the writer, from now on
	Runs()  // from now on
}

func waits(ctx context.Context) {
	if t, ok := ctx.(Timed); ok {
		t.Waits()
	}
}

func runs(ctx context.Context) {
	if t, ok := ctx.(Timed); ok {
		t.Runs()
	}
}
