// Package bench measures Nearlite on the workloads it was made for, beside the
// programs people use today, in the same process and against the same files.
//
// [Ledger] is the workload of the article "100000 TPS over a billion rows": a
// table of accounts, callers who each move 100 from one account to another, and
// accounts drawn by a power law. [Reads] is the one of "Scaling SQLite to 4M
// QPS on a single server", and the point read of the ledger beside it. [Blobs]
// is the one of "35% Faster Than The Filesystem": the same blobs in a database
// and in files, in turns. Each returns a report that prints as a table and
// marshals to JSON with everything needed to judge it: the settings, the machine,
// the SQLite it ran on. Package report makes pictures of them.
//
// A ledger runs on a PostgreSQL server as well, and [Article] is the article's
// tables from end to end. Two kinds of waiting can be added to a transaction, and
// they are never mixed up: a network's round trip, which only a server's clients
// have, and the application's own thinking, which everybody has.
//
// # What the figures mean
//
// A ledger's clock starts with its callers and stops after a checkpoint, when all
// that was promised lies in the database file. Latency is what one caller waits
// for one request, the wait in the queue included.
//
// A ledger is checked as well as timed: before and after a run, and outside the
// clock, its balances are added up twice over, plainly and weighted with the
// account ids. The plain sum must not change, or a half transaction was
// committed; the weighted one must change by exactly what the callers were told
// was done, or an acknowledged transaction is missing.
//
// # What they do not mean
//
// Callers and database share the machine's processors, as they do in a program
// that embeds its database. The harness is kept out of the way (no allocation
// for a request beyond the two boxed ids that any caller of a SQL API pays for,
// one clock reading, one atomic increment), but it is not free. An absolute
// figure says more about the machine than about the program: quote its ratio to
// a peer that ran in the same minute.
//
// Nearlite and its peers run on one and the same compiled SQLite, but not with
// the same settings: a peer has those its users have. Among them are SQLite's
// memory statistics, which the engine turns off for its whole process when it
// opens its first database, and which a run on a peer therefore still has on,
// if the process has opened no database with the engine before.
package bench
