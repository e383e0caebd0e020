// Package stream is one connection to a database as libSQL's clients know it: a
// Hrana stream, with its statements, batches, transactions and stored texts, and
// without any HTTP.
//
// # Where statements run
//
// A client believes that it has a connection of its own. It has none: a stream
// outside of a transaction holds nothing of the database, and every statement goes
// where the engine does it best.
//
//	a query                           a View, on any reader; collected, then the reader is free
//	a write                           a transaction of its own, in the batch of its neighbours
//	BEGIN … COMMIT in one batch       one Update, which shares a commit and waits for no client;
//	                                  one View if all of it reads
//	BEGIN, then request by request    the engine's Begin, deferred: a snapshot until the first write
//	BEGIN IMMEDIATE                   Begin; it waits for the writer at its first statement
//	VACUUM, PRAGMA optimize           Exclusive
//
// Whether a statement writes is SQLite's judgement. What else decides (where one
// statement of a text ends, COMMIT, INSERT, the name of a PRAGMA) is read from its
// tokens, and remembered per text in [Classes].
//
// What would show that there is no connection is made up for: last_insert_rowid()
// and changes() are those of the stream, also across its transactions.
//
// # Transactions
//
// They end with COMMIT and ROLLBACK, with the stream, or by themselves: when SQLite
// rolls back after an error (OR ROLLBACK, a write that was interrupted), and when a
// lease is over, of the writer or of a snapshot. Of the latter the client learns by
// TRANSACTION_TIMEOUT, once, before anything else is done; in a batch for each step.
// What else a request has for a transaction that has ended unasked, or could not be
// begun, fails with the same error, and [Stream.Lost] tells the server so: it would
// be committed alone. Only after OR ROLLBACK things go on outside, as in SQLite.
// A COMMIT that a deferred foreign key forbids leaves the transaction open, as in
// SQLite. A deferred transaction whose reads are not true any more when it first
// writes ends with SQLITE_BUSY, and can be run again.
//
// With PRAGMA foreign_keys = OFF, which migrations need to make tables anew, the
// stream's writes and transactions run with the writer to themselves, since that
// setting belongs to a connection. It ends with the stream, and the stream is not
// [Stream.Idle] meanwhile.
//
// # Differences from sqld
//
// A statement that failed leaves last_insert_rowid() as it was before it, also where
// SQLite remembers a row that it has taken back. total_changes() leaves out what
// triggers and foreign keys did. rows_read and rows_written are the rows returned
// and changed; SQLite does not count those it visited. A statement with want_rows
// false returns none. A condition of a batch is false for a step that was skipped,
// whether it asks for success or for an error. RESPONSE_TOO_LARGE rolls back the
// write that returned too much, and the whole transaction it was in. A transaction
// begun with BEGIN TRANSACTION READONLY is that. VACUUM, ANALYZE and PRAGMA optimize
// work. RAISE(FAIL) in a trigger keeps nothing of a statement outside of a
// transaction.
package stream
