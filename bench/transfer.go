package bench

const (
	creditSQL = "UPDATE account SET balance = balance + 100 WHERE id = ?"
	debitSQL  = "UPDATE account SET balance = balance - 100 WHERE id = ?"
	lookupSQL = "SELECT * FROM account WHERE id = ? LIMIT 1"

	// creditBothSQL goes before two debits, so that the books still balance.
	creditBothSQL = "UPDATE account SET balance = balance + 200 WHERE id = ?"

	// lookups is how many point reads a mixed request makes before its
	// transfer: three quarters of the operations, as in the article.
	lookups = 3

	amount = 100
)

// updates returns the statements of a transfer, in order: one account is
// credited and one debited or, with the extra query, two.
func (l Ledger) updates() []string {
	if l.ExtraQuery {
		return []string{creditBothSQL, debitSQL, debitSQL}
	}
	return []string{creditSQL, debitSQL}
}

// transfer is what one caller's requests are about: an account for each
// statement, drawn anew for each request.
type transfer struct {
	pick  picker
	args  [3][1]any // of the statements
	move  int64     // what the transfer drawn changes in the weighted sum
	total int64     // what acknowledged transfers have changed in it
	count int       // statements, up to three
}

func (l Ledger) transfer(pick picker) transfer {
	return transfer{pick: pick, count: len(l.updates())}
}

// draw picks the next accounts. The ids are boxed here, once and by the caller:
// a transaction that is run again, or by another goroutine, boxes none.
func (t *transfer) draw() {
	to := t.pick.next()
	t.args[0][0], t.move = to, 0
	for i := 1; i < t.count; i++ {
		from := t.pick.next()
		t.args[i][0] = from
		t.move += amount * (to - from)
	}
}

// done notes that the transfer was acknowledged.
func (t *transfer) done() { t.total += t.move }

func (t *transfer) moved() int64 { return t.total }
