// Package wal gets commits out of SQLite's write-ahead log, before anybody sees
// them, puts commits into one, and reads those that other programs have written.
//
// A [Barrier] is a VFS around the -wal file alone. SQLite writes a commit's frames,
// syncs the file, and only then tells readers that the commit is there; the
// barrier makes of that sync a question: is this commit safe? An [Injector] appends
// pages to the WAL of a database that is read meanwhile, as one commit. A [Snapshot]
// reads pages as one transaction sees them, from the WAL and the database file, while
// others write. A [Mark] is a place between two commits of a WAL; [Mark.Next] reads
// the commit behind it, as long as the chain of checksums holds.
//
// The format is https://sqlite.org/fileformat2.html#the_write_ahead_log.
package wal
