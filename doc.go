// Package nearlite is an embedded SQL database: SQLite with one writer that
// batches and readers that never wait. The files stay plain SQLite databases.
//
// # Basics
//
// [Open] opens a database. [DB.Update] runs a closure as one transaction, which
// is on disk when Update returns; [DB.View] runs one on a snapshot that holds
// every transaction acknowledged before. [DB.Exec] and [DB.Batch] write without a
// closure, [DB.Query] reads without one, and [DB.Begin] is for clients that
// decide statement by statement. Package sqldriver puts database/sql on top.
//
//	db, err := nearlite.Open(ctx, "app.db", nil)
//	…
//	err = db.Update(ctx, func(tx *nearlite.WriteTx) error {
//		_, err := tx.Exec("UPDATE account SET balance = balance - ?1 WHERE name = ?2", 100, "Alice")
//		return err
//	})
//
// # How it is fast
//
// Transactions that arrive together share one commit and one flush of the disk;
// that is all, and it is a great deal: hundreds of thousands of durable,
// isolated transactions a second where one commit each makes a few thousand. See
// writer for how they are kept apart, readers for how reads take no locks, and
// checkpointer for how the write-ahead log stays short.
//
// # Caveats
//
// A closure may run more than once: when a neighbour in its batch fails, or the
// disk does. A [Row] is valid until the next one, or, from QueryRow, until its
// transaction ends; copy what is kept. A closure that is slow keeps every writer
// waiting, so do no network calls in it. A transaction handle is dead when its
// closure returns. Other processes may read and write the file meanwhile.
package nearlite
