package bench

import (
	"context"
	"fmt"
)

// audit is a ledger's sums as they were before a run.
type audit struct {
	skipped       bool
	sum, weighted int64
}

const (
	sumSQL = "SELECT sum(balance) FROM account"
	// Only what differs from the first balance is weighted: the sum stays small.
	// The casts are for PostgreSQL, where the columns have 32 bits.
	weightedSQL = "SELECT CAST(sum(CAST(balance - 1000000000 AS BIGINT) * id) AS BIGINT) FROM account"
)

// openAudit adds up the balances.
func (l Ledger) openAudit(ctx context.Context, db database) (a audit, err error) {
	if l.NoCheck {
		return audit{skipped: true}, nil
	}
	if a.sum, err = db.number(ctx, sumSQL); err != nil {
		return a, err
	}
	a.weighted, err = db.number(ctx, weightedSQL)
	return a, err
}

// close adds up the balances again and compares: moved is what the callers were
// told was done.
func (a audit) close(ctx context.Context, db database, moved int64) error {
	if a.skipped {
		return nil
	}
	now, err := Ledger{}.openAudit(ctx, db)
	if err != nil {
		return fmt.Errorf("add up the balances: %w", err)
	}
	if now.sum != a.sum {
		return fmt.Errorf("the books do not balance: all accounts held %d before the run and hold %d after it, so half a transfer was committed", a.sum, now.sum)
	}
	if now.weighted != a.weighted+moved {
		return fmt.Errorf("the books do not balance: the balances weighted by account should be %d and are %d, so the database does not hold exactly the transfers it acknowledged", a.weighted+moved, now.weighted)
	}
	return nil
}
