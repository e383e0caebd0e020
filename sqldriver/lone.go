package sqldriver

import (
	"context"
	"fmt"
	"strings"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// refused runs a statement that a transaction has refused.
func (c *conn) refused(ctx context.Context, st *statement, args []any) (nearlite.Result, error) {
	res, err := c.lone(ctx, st, args)
	if err == nil {
		st.alone.Store(true)
	}
	return res, err
}

// lone runs a statement outside any transaction: VACUUM, a PRAGMA. What it sets
// on the connection ends with it, but for foreign_keys: to switch them off for a
// while, on one connection, is how tables are made anew while others refer to them.
func (c *conn) lone(ctx context.Context, st *statement, args []any) (res nearlite.Result, err error) {
	if sqlite.Verb(st.text) == "ATTACH" { // seen to be one only afterwards, it would have made the file
		return res, notKeptOf(st.text, traits[attached])
	}
	err = c.db.Exclusive(ctx, func(own *sqlite.Conn) error {
		if err := c.keys(own); err != nil {
			return err
		}
		before, err := settings(own)
		if err != nil {
			return err
		}
		stop := own.InterruptOn(ctx)
		res, err = run(own, st.text, args)
		stop()
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		after, err := settings(own)
		if err != nil {
			return err
		}
		if before[foreignKeys] != after[foreignKeys] {
			c.keysOff = after[foreignKeys] == 0
			before[foreignKeys] = after[foreignKeys]
		}
		return notKept(st.text, before, after)
	})
	return res, err
}

// keys makes foreign keys on the engine's connection what they are on this one.
func (c *conn) keys(own *sqlite.Conn) error {
	if !c.keysOff {
		return nil
	}
	return own.Exec("PRAGMA foreign_keys = OFF")
}

// run runs one statement and collects its rows.
func run(own *sqlite.Conn, text string, args []any) (res nearlite.Result, err error) {
	s, _, err := own.PrepareFirst(text)
	if err != nil || s == nil {
		return res, err
	}
	defer s.Finalize()
	found, err := s.Rows(args...)
	if err != nil {
		return res, err
	}
	defer found.Close()
	for found.Next() {
		row := found.Row()
		values := make([]any, row.Len())
		for i := range values {
			values[i] = row.Any(i)
		}
		res.Rows = append(res.Rows, values)
	}
	if err := found.Err(); err != nil {
		return res, err
	}
	res.Columns = append(res.Columns, found.Columns()...)
	res.LastInsertRowID, res.Changes = found.Result().LastInsertRowID, found.Result().Changes
	return res, nil
}

// A trait is something of a connection that decides what statements mean.
type trait struct {
	name, query, remedy string
}

const inExclusive = "do it, and what is to come after it, in one DB.Exclusive"

// Places in traits.
const (
	foreignKeys = 0
	attached    = 6
)

var traits = []trait{
	foreignKeys: {"foreign_keys", "PRAGMA foreign_keys", inExclusive},
	{"ignore_check_constraints", "PRAGMA ignore_check_constraints", inExclusive},
	{"recursive_triggers", "PRAGMA recursive_triggers", inExclusive},
	{"legacy_alter_table", "PRAGMA legacy_alter_table", inExclusive},
	{"writable_schema", "PRAGMA writable_schema", inExclusive},
	{"query_only", "PRAGMA query_only", "open the database or begin the transaction read-only"},
	attached: {"the attached databases", "SELECT count(*) FROM pragma_database_list WHERE name <> 'temp'", inExclusive},
	{"the temporary tables", "SELECT count(*) FROM temp.sqlite_schema", "use an ordinary table, or " + inExclusive},
}

// settings reads all traits.
func settings(own *sqlite.Conn) ([]int64, error) {
	all := make([]int64, len(traits))
	for i, t := range traits {
		row := own.QueryRow(t.query)
		if err := row.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", t.name, err)
		}
		all[i] = row.Int64(0)
	}
	return all, nil
}

// notKept says so if a statement has changed a trait: silence would let later
// statements do something else than their author believes.
func notKept(text string, before, after []int64) error {
	for i, t := range traits {
		if before[i] != after[i] {
			return notKeptOf(text, t)
		}
	}
	return nil
}

func notKeptOf(text string, t trait) error {
	return fmt.Errorf("exec %q: %w: it changes %s for one connection, and the next statement has another: %s",
		strings.TrimSpace(text), ErrNotKept, t.name, t.remedy)
}
