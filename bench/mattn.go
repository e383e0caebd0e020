package bench

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// mattnDB is a database opened through database/sql and mattn/go-sqlite3.
type mattnDB struct{ *sql.DB }

// openMattnDB opens a database the way mattn's users are told to: WAL, a busy
// timeout, write transactions that begin as such. Further options go before these.
func openMattnDB(path string, durability Durability, more ...string) (mattnDB, error) {
	// Of an option given twice, mattn takes the first.
	options := append(more,
		"_journal_mode=WAL",
		"_busy_timeout=5000",
		"_txlock=immediate",
		"_synchronous="+strings.ToUpper(string(durability)))
	escaped := (&url.URL{Path: path}).EscapedPath()
	db, err := sql.Open("sqlite3", "file:"+escaped+"?"+strings.Join(options, "&"))
	return mattnDB{db}, err
}

// busy reports whether SQLite refused because somebody else was writing: the
// caller is expected to try again.
func busy(err error) bool {
	var refused sqlite3.Error
	return errors.As(err, &refused) && (refused.Code == sqlite3.ErrBusy || refused.Code == sqlite3.ErrLocked)
}

func (db mattnDB) table() dataset { return accounts }

func (db mattnDB) exec(ctx context.Context, sql string, args ...any) error {
	_, err := db.ExecContext(ctx, sql, args...)
	return err
}

func (db mattnDB) number(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = db.QueryRowContext(ctx, sql, args...).Scan(&n)
	return n, err
}

func (db mattnDB) checkpoint(ctx context.Context) error {
	var refused, frames, done int
	err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&refused, &frames, &done)
	if err == nil && refused != 0 {
		return errors.New("somebody else is reading or writing the database")
	}
	return err
}

func (db mattnDB) close() error { return db.Close() }
