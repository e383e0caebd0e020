package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import (
	"errors"
	"unsafe"
)

// TxnState says how far a transaction has come.
type TxnState int

// A transaction begins with nothing, has a snapshot once it has read, and the
// write lock once it has written.
const (
	TxnNone  TxnState = 0
	TxnRead  TxnState = 1
	TxnWrite TxnState = 2
)

// TxnState returns the state of a database of the connection, "main" say; ""
// stands for the one that has come farthest.
func (c *Conn) TxnState(schema string) TxnState {
	if c.db == nil {
		return TxnNone
	}
	var cs *C.char
	if schema != "" {
		cs = C.CString(schema)
		defer C.free(unsafe.Pointer(cs))
	}
	return max(TxnState(C.sqlite3_txn_state(c.db, cs)), TxnNone)
}

// Transaction runs fn between BEGIN IMMEDIATE and COMMIT, or between SAVEPOINT and
// RELEASE when a transaction is open already. An error or panic of fn rolls back
// what it did, and comes back to the caller; so does an error of the COMMIT.
func (c *Conn) Transaction(fn func() error) (err error) {
	begin, commit, rollback := "BEGIN IMMEDIATE", "COMMIT", []string{"ROLLBACK"}
	if !c.AutoCommit() {
		begin, commit = "SAVEPOINT nested", "RELEASE nested"
		rollback = []string{"ROLLBACK TO nested", commit}
	}
	if err := c.execCached(begin); err != nil {
		return err
	}
	committed := false
	defer func() {
		if committed || c.AutoCommit() { // SQLite has rolled back by itself
			return
		}
		for _, sql := range rollback {
			if failed := c.execCached(sql); failed != nil {
				err = errors.Join(err, failed)
			}
		}
	}()
	if err := fn(); err != nil {
		return err
	}
	if err := c.execCached(commit); err != nil {
		return err
	}
	committed = true
	return nil
}

func (c *Conn) execCached(sql string) error {
	s, err := c.Prepare(sql)
	if err == nil {
		_, err = s.Exec()
	}
	return err
}
