// Package sqldriver makes Nearlite a database/sql driver named "nearlite", so
// that sqlc, GORM, goose, ent and whatever else speaks database/sql runs on it:
//
//	import _ "github.com/nearlite/nearlite/sqldriver"
//
//	db, err := sql.Open("nearlite", "app.db")
//
// # One engine
//
// All connections of a *sql.DB are views of one [nearlite.DB], which is opened
// at first use and closed by Close of the *sql.DB. Two *sql.DB for the same file
// and options share it too. There is nothing to gain from SetMaxOpenConns(1) or a
// second *sql.DB for reads: writes queue for the engine's writer and share its
// fsync, reads have snapshots of their own and wait for nobody. [NewConnector]
// puts database/sql on an engine that is open already, and [Engine] finds the
// engine of a *sql.DB, for Update, Backup and the rest that database/sql has no
// words for.
//
// # Data source names
//
// A path, or a file: URI, then options:
//
//	app.db
//	app.db?durability=normal&cachesize=256MiB
//	file:/var/lib/app.db?readonly=true
//	:memory:
//
// ":memory:" is a temporary file of that *sql.DB alone, shared by all of its
// connections. The options are those of [nearlite.Options]: durability (full or
// normal), readonly, mustexist, pagemap, pagesize, cachesize, readercachesize, mmapsize
// (off or a size), foreignkeys (on unless switched off), busytimeout, queuemax,
// maxreaders, snapshotage, walbytes, checkpointbytes, maxclosure, leaseidle,
// leasecontended, leasetotal and vfs. Durations are written 500ms or 5s, sizes
// in bytes or as 64MiB or 64MB. An unknown option is an error.
//
// # Statements
//
// What a statement is is asked of SQLite, never guessed from its text. One that
// reads runs on a snapshot of its own, and its rows are streamed from it: the
// snapshot is held until Rows.Close, at most MaxSnapshotAge. One that writes is a
// transaction of its own, joins the batch of its neighbours and is durable when
// Exec or Query returns, so QueryRow("INSERT … RETURNING") works.
//
// Exec of several statements in one string, as migrations have them, is one
// transaction. Arguments are for single statements.
//
// # Transactions
//
// BeginTx starts an interactive transaction, see [nearlite.Tx]: it waits for the
// writer at its first statement, joins a batch, and is bounded by leases.
// Transactions that only read should say so with sql.TxOptions{ReadOnly: true}:
// they hold one snapshot and never wait. Isolation is serializable always; other
// levels than that and the default are refused. Rows of a query inside a writing
// transaction are collected in memory before Query returns.
//
// A goroutine that has a writing transaction open must not write through the
// *sql.DB meanwhile: it would wait for itself until the lease ends.
//
// BEGIN, COMMIT and ROLLBACK as text work on one *sql.Conn, or within one string
// of statements; a connection that goes back to the pool with such a transaction
// open rolls it back.
//
// # Settings of a connection
//
// There is one writing connection for everybody, and readers come and go, so a
// setting made by one caller does not stay. VACUUM and PRAGMA journal_mode,
// wal_checkpoint, optimize, busy_timeout and the like run outside any transaction
// and leave the engine's own settings as they are. A PRAGMA that would change what
// later statements mean (ignore_check_constraints, say), ATTACH and temporary
// tables are refused with [ErrNotKept]: use the options of the data source name,
// or [nearlite.DB.Exclusive].
//
// PRAGMA foreign_keys is the exception, since migrations that make a table anew
// depend on it: switched off it stays off for that connection, until it is
// switched on there. Meanwhile the connection's transactions have the writer to
// themselves and share no fsync. Do it on a *sql.Conn, as with every driver:
// another connection of the pool has foreign keys all the time.
//
// # Values
//
// Columns declared DATE, DATETIME or TIMESTAMP come out as time.Time, those
// declared BOOLEAN or BOOL as bool, everything else as SQLite stores it: int64,
// float64, string, []byte or nil. A time.Time argument is stored as text in
// [sqlite.TimeFormat]; read are also RFC 3339, either without its seconds, zone or
// time of day (which mean zero and UTC), and integers: seconds since 1970, or
// milliseconds beyond ±10¹². A value that is neither stays what it is.
// [sqlite.ZeroBlob] is an argument like any other.
//
// Errors of SQLite's are [*sqlite.Error], for errors.As, and match result codes:
// errors.Is(err, sqlite.CodeConstraintUnique).
package sqldriver
