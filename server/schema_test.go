package server

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearlite/nearlite"
)

// schemaOf returns the JSON of what readSchema finds after the statements.
func schemaOf(t *testing.T, statements ...string) string {
	t.Helper()
	db, err := nearlite.Open(t.Context(), filepath.Join(t.TempDir(), "schema.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, sql := range statements {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	var found *schema
	err = db.View(t.Context(), func(tx *nearlite.ReadTx) (err error) {
		found, err = readSchema(tx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found.Position == "" {
		t.Error("the schema has no position")
	}
	text, err := json.Marshal(found.Tables)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSchema(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sql  []string
		want []string // parts of the JSON
	}{
		"empty": {nil, []string{`[]`}},
		"a table": {
			[]string{`CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'a', twice INT AS (id * 2)) STRICT`},
			[]string{
				`"name":"t","type":"table","sql":"CREATE TABLE t (`, `"strict":true`,
				`{"name":"id","type":"INTEGER","not_null":false,"primary_key":1,"default":null,"generated":false,"hidden":false}`,
				`{"name":"name","type":"TEXT","not_null":true,"primary_key":0,"default":"'a'","generated":false,"hidden":false}`,
				`"name":"twice","type":"INT","not_null":false,"primary_key":0,"default":null,"generated":true`,
				`"indexes":[],"triggers":[],"foreign_keys":[]`,
			},
		},
		"without rowid": {
			[]string{`CREATE TABLE t (a, b, PRIMARY KEY (b, a)) WITHOUT ROWID`},
			[]string{`"without_rowid":true`, `"name":"a","type":"","not_null":true,"primary_key":2`, `"name":"b","type":"","not_null":true,"primary_key":1`},
		},
		"strange names": {
			[]string{`CREATE TABLE "a ""b' ü" ("<b>""x" TEXT)`},
			[]string{`"name":"a \"b' ü"`, `"name":"\u003cb\u003e\"x"`},
		},
		"indexes": {
			[]string{
				`CREATE TABLE t (a UNIQUE, b)`, `CREATE INDEX by_b ON t (b, lower(a)) WHERE b IS NOT NULL`,
			},
			[]string{
				`{"name":"by_b","sql":"CREATE INDEX by_b ON t (b, lower(a)) WHERE b IS NOT NULL","unique":false,"partial":true,"columns":["b",""]}`,
				`"sql":"","unique":true,"partial":false,"columns":["a"]`,
			},
		},
		"a trigger, named in another case": {
			[]string{`CREATE TABLE Tab (a)`, `CREATE TRIGGER g AFTER INSERT ON tab BEGIN SELECT 1; END`},
			[]string{`"triggers":[{"name":"g","sql":"CREATE TRIGGER g`},
		},
		"foreign keys": {
			[]string{
				`CREATE TABLE p (x, y, PRIMARY KEY (x, y))`,
				`CREATE TABLE c (a REFERENCES p, b, d, FOREIGN KEY (b, d) REFERENCES p (x, y) ON DELETE CASCADE)`,
			},
			[]string{
				`{"columns":["b","d"],"table":"p","to":["x","y"],"on_update":"NO ACTION","on_delete":"CASCADE"}`,
				`{"columns":["a"],"table":"p","to":[],"on_update":"NO ACTION","on_delete":"NO ACTION"}`,
			},
		},
		"views": {
			[]string{`CREATE TABLE t (a INT)`, `CREATE VIEW v AS SELECT a, 1 AS one FROM t`},
			[]string{`"name":"v","type":"view","sql":"CREATE VIEW v`, `"name":"one"`},
		},
		"a broken view": {
			[]string{`CREATE VIEW v AS SELECT * FROM gone`},
			[]string{`"name":"v","type":"view"`, `"error":"`, `no such table: main.gone`, `"columns":[]`},
		},
		"a virtual table and its shadows": {
			[]string{`CREATE VIRTUAL TABLE f USING fts5 (body)`},
			[]string{`"name":"f","type":"virtual"`, `"name":"f_data","type":"shadow"`, `"hidden":true`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := schemaOf(t, test.sql...)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s is not in\n%s", want, got)
				}
			}
		})
	}
}
