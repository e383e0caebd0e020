package stream

import (
	"fmt"
	"maps"
	"sync"

	"github.com/nearlite/nearlite/hrana"
)

// A Store has the texts that a client has stored, to send their numbers instead.
// It is safe for concurrent use.
type Store struct {
	max   int
	mu    sync.Mutex // protects the following
	texts map[int32]string
	size  int // bytes of them
}

// storedMax bounds the size of a text.
const storedMax = 5000

// NewStore returns an empty store for so many texts; 0: 50, as over HTTP.
func NewStore(max int) *Store {
	if max == 0 {
		max = 50
	}
	return &Store{max: max}
}

func (t *Store) put(id *int32, sql *string) *hrana.Error {
	if id == nil || sql == nil {
		return protocolError("store_sql needs `sql_id` and `sql`")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch _, exists := t.texts[*id]; {
	case exists:
		return protocolError("SQL text %d already exists", *id)
	case len(t.texts) >= t.max:
		return &hrana.Error{Code: "SQL_STORE_TOO_MANY", Message: fmt.Sprintf("The server already stores %d SQL texts, it cannot store more", len(t.texts))}
	case len(*sql) > storedMax:
		return &hrana.Error{Code: "SQL_STORE_TOO_LARGE", Message: fmt.Sprintf("The statement is too large to be stored: %.1f KB/%.1f KB", float64(len(*sql))/1000, float64(storedMax)/1000)}
	}
	if t.texts == nil {
		t.texts = map[int32]string{}
	}
	t.texts[*id] = *sql
	t.size += len(*sql)
	return nil
}

func (t *Store) get(id int32) (string, *hrana.Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sql, ok := t.texts[id]
	if !ok {
		return "", protocolError("SQL text %d not found", id)
	}
	return sql, nil
}

func (t *Store) remove(id *int32) {
	if id == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.size -= len(t.texts[*id])
	delete(t.texts, *id)
}

func (t *Store) all() map[int32]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.texts)
}

func (t *Store) replace(texts map[int32]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.texts, t.size = maps.Clone(texts), 0
	for _, sql := range texts {
		t.size += len(sql)
	}
}

func (t *Store) bytes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.size
}
