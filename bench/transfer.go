package bench

const (
	creditSQL = "UPDATE account SET balance = balance + 100 WHERE id = ?"
	debitSQL  = "UPDATE account SET balance = balance - 100 WHERE id = ?"
	lookupSQL = "SELECT * FROM account WHERE id = ? LIMIT 1"

	// lookups is how many point reads a mixed request makes before its
	// transfer: three quarters of the operations, as in the article.
	lookups = 3

	amount = 100
)

// transfer is what one caller's requests are about: two accounts, drawn anew
// for each, as the arguments of two statements.
type transfer struct {
	pick          picker
	credit, debit [1]any
	to, from      int64
	total         int64 // what acknowledged transfers have changed in the weighted sum
}

// draw picks the next two accounts. The ids are boxed here, once and by the
// caller: a transaction that is run again, or by another goroutine, boxes none.
func (t *transfer) draw() {
	t.to, t.from = t.pick.next(), t.pick.next()
	t.credit[0], t.debit[0] = t.to, t.from
}

// done notes that the transfer was acknowledged.
func (t *transfer) done() { t.total += amount * (t.to - t.from) }

func (t *transfer) moved() int64 { return t.total }
