package bench

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

func (l Ledger) validate() error {
	switch {
	case l.DB == "" && l.Peer != Postgres:
		return errors.New("no path for the ledger's database")
	case l.Accounts < 1:
		return fmt.Errorf("%d accounts: a ledger has at least one", l.Accounts)
	case l.Burst < 0:
		return fmt.Errorf("a burst of %d requests", l.Burst)
	case l.Burst == 0 && l.Callers < 1:
		return fmt.Errorf("%d callers: at least one has to ask", l.Callers)
	case l.Burst == 0 && l.Duration <= 0:
		return fmt.Errorf("a duration of %s: callers need time", l.Duration)
	case l.LookFirst && l.Peer != "":
		return fmt.Errorf("%s has no readers beside its writer to look first with", l.Peer)
	case l.Cold && l.Peer == Postgres:
		return errors.New("what a server has in memory cannot be put out of it from here")
	case l.Cold && !l.NoCheck:
		return errors.New("to add up the balances is to read the whole file: a cold one goes without that check")
	case l.Mode == Single && l.Peer == MattnBatched:
		return errors.New("mattn-batched has no mode single: the peer mattn commits every transfer alone")
	}
	return errors.Join(
		l.validateWaits(),
		l.validatePostgres(),
		oneOf("mode", l.Mode, Single, Batch, Savepoint, Mixed),
		l.validateArchive(),
		oneOf("durability", l.Durability, Normal, Full, Archived),
		oneOf("distribution", l.Dist, Power, Billion, Uniform),
		oneOf("peer", l.Peer, Nearlite, Mattn, MattnBatched, Postgres))
}

func (l Ledger) validateArchive() error {
	switch {
	case l.Peer != Nearlite && (l.PageMap || l.Archive != "" || l.Durability == Archived):
		return fmt.Errorf("%s has neither a page map nor an archive", l.Peer)
	case l.Durability == Archived && l.Archive == "":
		return errors.New("durability archived needs an archive")
	case l.PageMap && l.Archive != "":
		return errors.New("an archive brings the page map along: leave one of them out")
	}
	return nil
}

func (l Ledger) validateWaits() error {
	switch {
	case l.Net < 0:
		return fmt.Errorf("a round trip of %s", l.Net)
	case l.Think < 0:
		return fmt.Errorf("thinking for %s", l.Think)
	case l.Think > 0 && l.Mode == Batch && (l.Peer == Nearlite || l.Peer == Postgres):
		return errors.New("in mode batch all statements of a transaction are handed over together: nobody can think between them")
	}
	return nil
}

func (l Ledger) validatePostgres() error {
	if l.Peer == Postgres {
		if l.Pool < 0 {
			return fmt.Errorf("a pool of %d connections", l.Pool)
		}
		return oneOf("isolation", l.Isolation, "", ReadCommitted, Serializable)
	}
	switch {
	case l.DSN != "":
		return errors.New("a DSN is for the peer postgres")
	case l.Pool != 0:
		return errors.New("a pool of connections is for the peer postgres")
	case l.Isolation != "" && l.Isolation != Serializable:
		return fmt.Errorf("isolation %s is for the peer postgres: transactions of SQLite are always serializable", l.Isolation)
	}
	return nil
}

// withDefaults sets what was left open.
func (l Ledger) withDefaults() Ledger {
	if l.Peer == Postgres {
		l.DB = ""
		l.Pool = cmp.Or(l.Pool, 8)
		l.Isolation = cmp.Or(l.Isolation, ReadCommitted)
	} else {
		l.Isolation = Serializable
	}
	return l
}

// oneOf returns an error unless the value is one of those there are.
func oneOf[T ~string](what string, value T, all ...T) error {
	if slices.Contains(all, value) {
		return nil
	}
	return fmt.Errorf("no %s %q: there is %q", what, value, all)
}
