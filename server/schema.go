package server

import (
	"github.com/nearlite/nearlite"
)

// A schema is what GET /v1/schema answers: everything a browser of a database has to
// know of it, read in one snapshot.
type schema struct {
	Database string        `json:"database"`
	Position string        `json:"position"`
	Tables   []schemaTable `json:"tables"` // by name; views are among them
}

// A schemaTable is a table, a view, a virtual table, or a shadow table of one.
type schemaTable struct {
	Name         string          `json:"name"`
	Type         string          `json:"type"`          // table, view, virtual or shadow
	SQL          string          `json:"sql"`           // as it was created
	WithoutRowID bool            `json:"without_rowid"` // its primary key is the only one it has
	Strict       bool            `json:"strict"`
	Error        string          `json:"error,omitempty"` // why its columns are not known: a view on a table that is gone
	Columns      []schemaColumn  `json:"columns"`
	Indexes      []schemaIndex   `json:"indexes"`
	Triggers     []schemaTrigger `json:"triggers"`
	ForeignKeys  []schemaForeign `json:"foreign_keys"`
}

type schemaColumn struct {
	Name       string  `json:"name"`
	Type       string  `json:"type"` // as declared, "" if it was not
	NotNull    bool    `json:"not_null"`
	PrimaryKey int     `json:"primary_key"` // its place in the primary key, from 1; 0: not part of it
	Default    *string `json:"default"`     // an SQL expression
	Generated  bool    `json:"generated"`
	Hidden     bool    `json:"hidden"` // SELECT * leaves it out
}

type schemaIndex struct {
	Name    string   `json:"name"`
	SQL     string   `json:"sql"` // "" if a constraint of the table made it
	Unique  bool     `json:"unique"`
	Partial bool     `json:"partial"`
	Columns []string `json:"columns"` // "" stands for an expression, "rowid" for the rowid
}

type schemaTrigger struct {
	Name string `json:"name"`
	SQL  string `json:"sql"`
}

type schemaForeign struct {
	Columns  []string `json:"columns"`
	Table    string   `json:"table"`
	To       []string `json:"to"` // none: the primary key of Table
	OnUpdate string   `json:"on_update"`
	OnDelete string   `json:"on_delete"`
}

// readSchema reads the schema of main. The PRAGMAs are called as functions, so that
// names are parameters and a table may be called anything.
func readSchema(tx *nearlite.ReadTx) (*schema, error) {
	position, err := tx.Position()
	if err != nil {
		return nil, err
	}
	s := &schema{Position: position.String(), Tables: []schemaTable{}}
	for row, err := range tx.Query(`
		SELECT l.name, l.type, l.wr, l.strict, coalesce(s.sql, '')
		FROM pragma_table_list AS l LEFT JOIN sqlite_schema AS s ON s.name = l.name AND s.type IN ('table', 'view')
		WHERE l.schema = 'main' AND l.name <> 'sqlite_schema' ORDER BY l.name`) {
		if err != nil {
			return nil, err
		}
		s.Tables = append(s.Tables, schemaTable{
			Name: row.Text(0), Type: row.Text(1), WithoutRowID: row.Bool(2), Strict: row.Bool(3), SQL: row.Text(4),
		})
	}
	for i := range s.Tables {
		t := &s.Tables[i]
		// A view may be broken, and is to be seen nevertheless.
		if err := t.readColumns(tx); err != nil && t.Type == "view" && tx.Context().Err() == nil {
			t.Columns, t.Error = []schemaColumn{}, err.Error()
		} else if err != nil {
			return nil, err
		}
		for _, read := range []func(*nearlite.ReadTx) error{t.readIndexes, t.readTriggers, t.readForeignKeys} {
			if err := read(tx); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (t *schemaTable) readColumns(tx *nearlite.ReadTx) error {
	t.Columns = []schemaColumn{}
	for row, err := range tx.Query(`SELECT name, type, "notnull", pk, dflt_value, hidden FROM pragma_table_xinfo(?1, 'main')`, t.Name) {
		if err != nil {
			return err
		}
		c := schemaColumn{Name: row.Text(0), Type: row.Text(1), NotNull: row.Bool(2), PrimaryKey: row.Int(3)}
		if !row.IsNull(4) {
			text := row.Text(4)
			c.Default = &text
		}
		// SQLite counts generated columns (2 virtual, 3 stored) as hidden from PRAGMA table_info.
		c.Hidden, c.Generated = row.Int(5) == 1, row.Int(5) >= 2
		t.Columns = append(t.Columns, c)
	}
	return nil
}

func (t *schemaTable) readIndexes(tx *nearlite.ReadTx) error {
	t.Indexes = []schemaIndex{}
	for row, err := range tx.Query(`
		SELECT l.name, l."unique", l.partial, coalesce(s.sql, ''), i.cid, coalesce(i.name, '')
		FROM pragma_index_list(?1, 'main') AS l JOIN pragma_index_info(l.name, 'main') AS i
		LEFT JOIN sqlite_schema AS s ON s.type = 'index' AND s.name = l.name
		ORDER BY l.name, i.seqno`, t.Name) {
		if err != nil {
			return err
		}
		name := row.Text(0)
		if n := len(t.Indexes); n == 0 || t.Indexes[n-1].Name != name {
			t.Indexes = append(t.Indexes, schemaIndex{Name: name, Unique: row.Bool(1), Partial: row.Bool(2), SQL: row.Text(3)})
		}
		column := row.Text(5)
		if row.Int(4) == -1 {
			column = "rowid"
		}
		last := &t.Indexes[len(t.Indexes)-1]
		last.Columns = append(last.Columns, column)
	}
	return nil
}

func (t *schemaTable) readTriggers(tx *nearlite.ReadTx) error {
	t.Triggers = []schemaTrigger{}
	for row, err := range tx.Query(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE ORDER BY name`, t.Name) {
		if err != nil {
			return err
		}
		t.Triggers = append(t.Triggers, schemaTrigger{Name: row.Text(0), SQL: row.Text(1)})
	}
	return nil
}

func (t *schemaTable) readForeignKeys(tx *nearlite.ReadTx) error {
	t.ForeignKeys = []schemaForeign{}
	last := -1
	for row, err := range tx.Query(`
		SELECT id, "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(?1, 'main') ORDER BY id, seq`, t.Name) {
		if err != nil {
			return err
		}
		if id := row.Int(0); id != last {
			last = id
			t.ForeignKeys = append(t.ForeignKeys, schemaForeign{Columns: []string{}, Table: row.Text(1), To: []string{}, OnUpdate: row.Text(4), OnDelete: row.Text(5)})
		}
		f := &t.ForeignKeys[len(t.ForeignKeys)-1]
		f.Columns = append(f.Columns, row.Text(2))
		if !row.IsNull(3) {
			f.To = append(f.To, row.Text(3))
		}
	}
	return nil
}
