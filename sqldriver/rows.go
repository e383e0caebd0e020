package sqldriver

import (
	"database/sql/driver"
	"errors"
	"io"
	"reflect"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// rows are a result: streamed from the engine, or collected.
type rows struct {
	columns []sqlite.Column
	kinds   []kind
	live    *nearlite.Rows
	tx      *nearlite.Tx // the snapshot of this query alone, which ends with it
	values  [][]any      // what is left of a collected result
}

var _ interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeScanType
} = (*rows)(nil)

// streamed returns rows as they come; tx, if not nil, ends with them.
func streamed(live *nearlite.Rows, tx *nearlite.Tx) *rows {
	r := described(live.Columns())
	r.live, r.tx = live, tx
	return r
}

// collected returns rows that are there.
func collected(res nearlite.Result) *rows {
	r := described(res.Columns)
	r.values = res.Rows
	return r
}

func described(columns []sqlite.Column) *rows {
	r := &rows{columns: columns, kinds: make([]kind, len(columns))}
	for i, c := range columns {
		r.kinds[i] = kindOf(c.DeclType)
	}
	return r
}

// Columns returns the names.
func (r *rows) Columns() []string {
	names := make([]string, len(r.columns))
	for i, c := range r.columns {
		names[i] = c.Name
	}
	return names
}

// Next fills dest with the next row.
func (r *rows) Next(dest []driver.Value) error {
	row, err := r.next()
	if err != nil {
		return reported(err)
	}
	for i, v := range row {
		dest[i] = r.kinds[i].convert(v)
	}
	return nil
}

func (r *rows) next() ([]any, error) {
	if r.live != nil {
		if r.live.Next() {
			return r.live.Values(), nil
		}
		if err := r.live.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	if len(r.values) == 0 {
		return nil, io.EOF
	}
	row := r.values[0]
	r.values = r.values[1:]
	return row, nil
}

// Close gives the snapshot back.
func (r *rows) Close() error {
	r.values = nil
	if r.live != nil {
		r.live.Close()
	}
	if r.tx == nil {
		return nil
	}
	tx := r.tx
	r.tx = nil
	if err := tx.Rollback(); !errors.Is(err, nearlite.ErrClosed) {
		return err
	}
	return nil // the engine was closed under a query, which Next has said
}

// ColumnTypeDatabaseTypeName returns the declared type in capitals, "" for an expression.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return declared(r.columns[i].DeclType) }

// ColumnTypeScanType returns a type that holds what such a column usually has in it.
func (r *rows) ColumnTypeScanType(i int) reflect.Type { return scanType(r.columns[i].DeclType) }
