package bench

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
)

// sleeper is waits that note what they would have waited.
func sleeper(net, think time.Duration) (*waits, *[]time.Duration) {
	var slept []time.Duration
	w := newWaits(Ledger{Net: net, Think: think})
	w.sleep = func(d time.Duration) { slept = append(slept, d) }
	return w, &slept
}

func TestWaitsAreCountedApart(t *testing.T) {
	t.Parallel()
	w, slept := sleeper(5*time.Millisecond, 2*time.Millisecond)
	w.trip()
	w.between()
	w.trip()
	trips, net, think := w.paid()
	if trips != 2 || net != 10*time.Millisecond || think != 2*time.Millisecond {
		t.Errorf("%d trips, %s on the network, %s of thinking", trips, net, think)
	}
	if want := []time.Duration{5 * time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond}; !slices.Equal(*slept, want) {
		t.Errorf("slept %v, want %v", *slept, want)
	}
}

// A round trip is counted when nothing is added to it, and not waited for.
func TestWaitsOfNothing(t *testing.T) {
	t.Parallel()
	w, slept := sleeper(0, 0)
	w.trip()
	w.between()
	if trips, net, think := w.paid(); trips != 1 || net != 0 || think != 0 || len(*slept) != 0 {
		t.Errorf("%d trips, %s, %s, slept %v", trips, net, think, *slept)
	}
}

// The engine thinks inside the transaction, where all other writers wait, once
// for each gap between two statements. It pays no network.
func TestEngineThinksAndPaysNoNetwork(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		extra bool
		want  []time.Duration
	}{
		{false, []time.Duration{3}},
		{true, []time.Duration{3, 3}},
	} {
		l := tiny(t)
		l.Net, l.Think, l.ExtraQuery = time.Hour, 3, test.extra
		system, err := openEngine(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		defer system.close()
		if _, err := accounts.fill(t.Context(), system, l.Accounts, nil); err != nil {
			t.Fatal(err)
		}
		e := system.(*engine)
		var slept []time.Duration
		e.sleep = func(d time.Duration) { slept = append(slept, d) }
		if err := system.caller(newPicker(l.Dist, l.Accounts, 0)).request(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(slept, test.want) {
			t.Errorf("extra query %v: slept %v, want %v", test.extra, slept, test.want)
		}
	}
}

// While one transaction of the engine thinks, no other has its turn.
func TestEngineThinksAlone(t *testing.T) {
	t.Parallel()
	l := tiny(t)
	l.Think = 1
	system, err := openEngine(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	defer system.close()
	if _, err := accounts.fill(t.Context(), system, l.Accounts, nil); err != nil {
		t.Fatal(err)
	}
	e := system.(*engine)
	thinking, resume := make(chan bool), make(chan bool)
	e.sleep = func(time.Duration) { thinking <- true; <-resume }
	done := make(chan error, 2)
	go func() { done <- system.caller(newPicker(l.Dist, l.Accounts, 0)).request(context.Background()) }()
	<-thinking
	go func() {
		done <- e.db.Update(context.Background(), func(*nearlite.WriteTx) error { return nil })
	}()
	if err := e.db.View(t.Context(), func(*nearlite.ReadTx) error { return nil }); err != nil {
		t.Errorf("a read meanwhile: %v", err)
	}
	select {
	case err := <-done:
		t.Errorf("a transaction was committed meanwhile: %v", err)
	default:
	}
	resume <- true
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestLedgerReportsItsWaits(t *testing.T) {
	t.Parallel()
	l := tiny(t)
	l.Net, l.Think, l.Callers, l.Duration = time.Hour, time.Millisecond, 2, 50*time.Millisecond
	report, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if w := report.Waits; w.NetApplies || w.RoundTrips != 0 || w.NetPaid != 0 || w.ThinkPaid != 1000 {
		t.Errorf("an embedded database that thinks for 1 ms has paid %+v", w)
	}
	var text strings.Builder
	if err := report.WriteTable(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"n/a: an embedded database has no round trips", "1.00 ms between statements", "one at a time"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, &text)
		}
	}
}
