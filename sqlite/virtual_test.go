package sqlite

import "testing"

// A virtual table has prepared statements of its own on the connection; they end
// with the table, not before it.
func TestCloseWithVirtualTables(t *testing.T) {
	t.Parallel()
	c := open(t)
	if err := c.Exec("CREATE VIRTUAL TABLE box USING rtree(id, x0, x1); INSERT INTO box VALUES (1, 2, 3)"); err != nil {
		t.Skipf("built without an R-tree: %v", err)
	}
	own, _, err := c.PrepareFirst("SELECT id FROM box WHERE x0 < ?")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		d := second(t, c)
		rows, err := d.Prepare("SELECT id FROM box")
		if err != nil {
			t.Fatal(err)
		}
		if cursor, err := rows.Rows(); err != nil || !cursor.Next() {
			t.Fatalf("no row: %v", err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if row := own.QueryRow(9); row.Err() != nil || row.Int64(0) != 1 {
		t.Errorf("got %v", row.Err())
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := own.Finalize(); err != nil {
		t.Error(err)
	}
}
