package server

import (
	"encoding/binary"
	"testing"
)

// An old baton of a session that is here is refused, also when so many others have come
// since that its number was forgotten: in a transaction, what it asks for is done.
func TestForgottenBaton(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.pipeline("", execute("CREATE TABLE t (a)"), closeRequest)
	_, old := b.pipeline("", execute("BEGIN"))
	_, baton := b.pipeline(old, execute("INSERT INTO t VALUES (1)"))
	all := b.server.streams
	all.mu.Lock()
	for i := range uint64(2*usedMax + 1) {
		var id streamID
		binary.LittleEndian.PutUint64(id[:], i)
		all.used.set(id, 1)
	}
	all.mu.Unlock()
	r, _ := b.pipeline(old, execute("INSERT INTO t VALUES (1)"))
	r.expect(t, 400, "already been used")
	r, _ = b.pipeline(baton, execute("COMMIT"), execute("SELECT count(*) FROM t"), closeRequest)
	r.expect(t, 200, `"value":"1"`)
}
