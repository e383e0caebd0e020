package nearlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/nearlite/nearlite/sqlite"
)

// exclusive is a use of the writing connection outside any transaction, by a
// caller or by the engine itself.
type exclusive struct {
	fn     func(*sqlite.Conn) error
	engine func(*writer) error
}

// Exclusive runs fn with the writing connection outside any transaction, while
// nobody else writes: for VACUUM, ATTACH, migrations that need BEGIN of their
// own, and PRAGMAs that do nothing inside a transaction. Readers go on.
//
// What fn commits is committed, whatever it returns; a transaction it leaves
// open is rolled back. Afterwards the connection is opened anew, so attached
// files, temporary tables and settings end with fn.
func (db *DB) Exclusive(ctx context.Context, fn func(c *sqlite.Conn) error) error {
	return db.write(request{ctx: ctx, excl: &exclusive{fn: fn}})
}

// exclusive runs between two batches.
func (w *writer) exclusive(r *request) error {
	if p := w.poisoned.Load(); p != nil {
		return *p
	}
	if r.excl.engine != nil {
		return r.excl.engine(w)
	}
	w.conn.SetAuthorizer(nil)
	w.refusal = nil
	w.conn.BusyTimeout(w.db.opts.BusyTimeout)
	w.db.readers.dropAll() // for which a checkpoint in fn would wait
	w.current, w.foreign = r, true
	err := guarded(r, func() error { return r.excl.fn(w.conn) })
	w.foreign = false
	return w.afterExclusive(err)
}

// afterExclusive replaces the connection that fn may have changed.
func (w *writer) afterExclusive(err error) error {
	w.conn.CloseCursors()
	if !w.conn.AutoCommit() {
		w.must("ROLLBACK")
	}
	if b := w.db.barrier(); b != nil && b.Unknown() {
		return w.poison(errors.Join(b.Err(), err))
	}
	if err != nil && w.refusal != nil { // SQLite does not know the reason
		err = errors.Join(w.refused(), err)
	}
	if oerr := w.reopen(); oerr != nil {
		return w.poison(fmt.Errorf("open the writing connection again: %w", oerr))
	}
	w.afterCommit()
	return err
}

// reopen replaces the writing connection. The other connections of the database
// stay open, so the WAL does.
func (w *writer) reopen() error {
	conn, err := w.db.connectWriter()
	if err != nil {
		return err
	}
	sql, err := prepareControls(conn)
	if err != nil {
		conn.Close()
		return err
	}
	if w.conn != nil {
		w.sql.finalize()
		w.conn.Close()
	}
	w.conn, w.sql = conn, sql
	w.grd.install(conn)
	return nil
}
