package nearlite

import (
	"context"
	"errors"
	"time"
)

// An interactive transaction is a guest of the writer. Here is the writer's side:
// it lends the connection to a client, watches its lease, and sets a guest aside who
// keeps the batch waiting; see Tx for the client's.

// interact is the writer's side: it lends the connection to a client.
func (w *writer) interact(r *request) {
	tx := r.inter
	if err := w.lend(r); errors.Is(err, ErrConflict) {
		w.conflict(r)
		return
	} else if err != nil {
		w.refuse(r, err)
		return
	}
	tx.lent = true
	close(tx.granted)
	w.attend(r)
}

// interactAgain brings a transaction back that had the connection when a
// neighbour's closure ended the writer's goroutine; see survive.
func (w *writer) interactAgain(r *request) {
	tx := r.inter
	tx.mu.Lock()
	if tx.state == txLive {
		err := w.begin(context.Background())
		if err == nil {
			err = w.rerun(r)
		}
		if err != nil {
			tx.end(err)
		}
		tx.mu.Unlock()
		w.attend(r)
		return
	}
	commit, why := tx.commit, tx.err
	tx.mu.Unlock()
	if commit {
		w.replay(r)
	} else {
		w.settle(r, why)
	}
}

// attend waits for what the client decides and looks after its leases.
func (w *writer) attend(r *request) {
	tx := r.inter
	t := time.NewTimer(txPatience)
	defer t.Stop()
	for from := time.Now(); ; from = time.Now() {
		select {
		case <-tx.decided:
			w.pace.idle += time.Since(from) - tx.worked()
			w.conclude(r)
			return
		case <-t.C:
			w.pace.idle += time.Since(from)
			t.Reset(w.press(r))
		}
	}
}

// worked returns how long its statements have taken since it was last asked.
func (tx *Tx) worked() time.Duration {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	spent := tx.spent
	tx.spent = 0
	return spent
}

// lend opens a savepoint of its own for the transaction and makes it live.
func (w *writer) lend(r *request) error {
	tx := r.inter
	if err := w.begin(r.ctx); err != nil {
		return err
	}
	w.endGroup()
	wrote := w.dirty
	w.dirty = true // it may be set aside, so it needs a savepoint in any case
	if err := w.save(); err != nil {
		return err
	}
	w.dirty = wrote
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.work = tx.newWork(context.Background())
	if err := w.confirm(tx, wrote); err != nil {
		w.endGroup()
		return err
	}
	now := w.db.clock.now()
	tx.state, tx.active, tx.began = txLive, now, now
	return nil
}

// newWork returns what the transaction does to the writing connection from now on.
func (tx *Tx) newWork(ctx context.Context) *transaction {
	tx.w.conn.SetLastInsertRowID(tx.rowID)
	return &transaction{w: tx.w, ctx: ctx, keepsRowID: true}
}

// press looks after the leases of a live transaction and says when to look next.
func (w *writer) press(r *request) time.Duration {
	tx := r.inter
	now := w.db.clock.now()
	if !tx.mu.TryLock() { // a statement runs
		return w.pressBusy(tx, now)
	}
	defer tx.mu.Unlock()
	if tx.state != txLive {
		return leaseCheck
	}
	o := &w.db.opts
	lease := o.LeaseIdle
	if w.q.contended.Load() > 0 || w.db.closing.Load() {
		lease = o.LeaseContended
	}
	switch idle := now - tx.active; {
	case idle >= lease || now-tx.began >= o.LeaseTotal:
		tx.end(ErrLeaseExpired)
	case w.hasCompany() && idle >= txPatience && !tx.heavy():
		w.setAside(r)
	case w.hasCompany():
		return txPatience
	}
	return leaseCheck
}

// pressBusy interrupts a statement that runs beyond LeaseTotal.
func (w *writer) pressBusy(tx *Tx, now time.Duration) time.Duration {
	if now-tx.began < w.db.opts.LeaseTotal { // began is written once, before the grant
		return leaseCheck
	}
	for !tx.mu.TryLock() {
		w.conn.Interrupt() // again: it is lost on a statement that is about to begin
		time.Sleep(time.Millisecond)
	}
	defer tx.mu.Unlock()
	if tx.state == txLive {
		tx.end(ErrLeaseExpired)
	}
	return leaseCheck
}

// hasCompany reports whether somebody waits for the open transaction to commit.
func (w *writer) hasCompany() bool {
	for _, r := range w.open {
		if !r.settled || r.err != nil {
			return true
		}
	}
	return false
}

// setAside commits a live transaction's neighbours without it, and brings it
// back behind them. tx.mu is held, so its client notices nothing but the time.
func (w *writer) setAside(r *request) {
	tx := r.inter
	w.conn.CloseCursors()
	if !w.rewind() {
		w.bringBack()
	}
	w.commit()
	err := w.begin(context.Background())
	if err == nil {
		err = w.rerun(r)
	}
	if err != nil {
		tx.end(err)
	}
}

// rerun runs the recorded statements again in a savepoint of their own, and
// compares what they return.
func (w *writer) rerun(r *request) error {
	tx := r.inter
	if tx.heavy() {
		return ErrConflict // before the work of a savepoint
	}
	w.endGroup()
	w.dirty = true // as in lend
	if err := w.save(); err != nil {
		return err
	}
	tx.work = tx.newWork(context.Background())
	return w.runAgain(tx)
}

// conclude does what the client, or the end of a lease, decided.
func (w *writer) conclude(r *request) {
	tx := r.inter
	tx.mu.Lock()
	commit, why := tx.commit, tx.err
	tx.mu.Unlock()
	r.err = nil
	if !commit {
		r.err = why
	}
	switch tx.work.end(r) {
	case kept:
		w.endGroup()
		w.open = append(w.open, r)
		if tx.heavy() {
			w.commit()
		}
		return
	case lost:
		w.bringBack()
	default:
		w.takeBack()
	}
	w.settle(r, r.err)
	tx.settled(r.err)
}

// takeBack undoes an interactive transaction in its savepoint, or brings its
// neighbours back if more than that was undone.
func (w *writer) takeBack() {
	switch {
	case !w.inTx:
	case w.conn.LostTransaction(), w.group >= 0 && !w.rewind():
		w.bringBack()
	}
}

// replay runs an interactive transaction again that had ended with a commit.
func (w *writer) replay(r *request) {
	err := w.begin(context.Background())
	if err == nil {
		err = w.rerun(r)
	}
	if err == nil {
		r.err = nil
		if v := r.inter.work.end(r); v == kept {
			w.endGroup()
			w.open = append(w.open, r)
			return
		}
		err = ErrConflict
	}
	w.takeBack()
	w.settle(r, err)
}
