package archive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/crc64iso"
	"github.com/nearlite/nearlite/sqlite"
	"github.com/nearlite/nearlite/wal"
)

// A history is a real database, and what it was after each entry.
type history struct {
	t      testing.TB
	path   string
	conn   *sqlite.Conn
	head   nearlite.Head
	states [][]byte // the whole file; 0: nothing
}

func newHistory(t testing.TB, pageSize int) *history {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	conn, err := sqlite.Open(path, sqlite.OpenReadWrite|sqlite.OpenCreate, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	h := &history{t: t, path: path, conn: conn, states: [][]byte{nil}, head: nearlite.Head{PageSize: pageSize, Epoch: rand.Uint32() | 1}}
	h.exec(fmt.Sprintf("PRAGMA page_size = %d; PRAGMA synchronous = OFF; CREATE TABLE note (id INTEGER PRIMARY KEY, text BLOB)", pageSize))
	return h
}

func (h *history) exec(sql string) {
	h.t.Helper()
	if err := h.conn.Exec(sql); err != nil {
		h.t.Fatal(err)
	}
}

// entry is what has changed since the last one.
func (h *history) entry() *nearlite.Entry {
	h.t.Helper()
	now, err := os.ReadFile(h.path)
	if err != nil {
		h.t.Fatal(err)
	}
	before := h.states[len(h.states)-1]
	h.states = append(h.states, now)
	size := h.head.PageSize
	var pages []wal.Page
	var sum uint64
	for at := 0; at < len(now); at += size {
		p := wal.Page{Number: uint32(at/size) + 1, Data: now[at : at+size]}
		sum ^= crc64iso.Page(p.Number, p.Data)
		if at+size > len(before) || !bytes.Equal(before[at:at+size], p.Data) {
			pages = append(pages, p)
		}
	}
	h.head.TXID++
	h.head.Pages = uint32(len(now) / size)
	h.head.Time = time.UnixMilli(1_700_000_000_000 + int64(h.head.TXID)*1000).UTC()
	h.head.Sum = uint32(sum)
	h.head.WAL.Salt1, h.head.WAL.Salt2 = 1, 2
	start := max(h.head.WAL.Offset, 32)
	h.head.WAL.Offset = start + int64(len(pages)*(size+24))
	e := nearlite.NewEntry(h.head, pages)
	e.Checksum, e.WALStart = sum, start
	return e
}

// live changes the database and appends, so many times.
func (h *history) live(l nearlite.Log, times int) {
	h.t.Helper()
	for i := range times {
		n := len(h.states)
		switch {
		case n%11 == 0:
			h.exec("DELETE FROM note WHERE id % 3 = 0; VACUUM")
		case n%5 == 0:
			h.exec("UPDATE note SET text = randomblob(300) WHERE id % 7 = 0")
		default:
			h.exec(fmt.Sprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO note (text) SELECT hex(randomblob(100)) FROM n", 1+i%30*10))
		}
		if err := l.Append(h.t.Context(), h.entry()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// holds expects a file to be the database after an entry.
func (h *history) holds(path string, txid int) {
	h.t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	if !bytes.Equal(got, h.states[txid]) {
		h.t.Fatalf("%s is not the database after entry %d", path, txid)
	}
}
