// Package archive keeps the log of a database in a directory or in a bucket, as
// Litestream lays it out: `litestream restore` reads what it writes, and it reads
// what Litestream wrote.
//
//	log, err := archive.Open(ctx, store, &archive.Options{Maintain: true})
//	…
//	db, err := nearlite.Open(ctx, path, &nearlite.Options{Log: log})
//	…
//	head, err := archive.Restore(ctx, store, "copy.db", archive.RestoreOptions{At: yesterday})
//
// # Objects
//
// An entry is an LTX file of level 0, whose key is its number twice. In the
// background, entries are merged into level 1 half a minute after the first that is
// new, these into level 2 after five minutes, and into level 3 after an hour. A
// snapshot, level 9, has all pages; the first entry has, too.
//
//	a directory                                         a bucket
//	ltx/0/00000000000000a7-00000000000000a7.ltx         0000/00000000000000a7-00000000000000a7.ltx
//	ltx/1/0000000000000081-00000000000000a7.ltx         0001/0000000000000081-00000000000000a7.ltx
//	ltx/9/0000000000000001-00000000000000a7.ltx         0009/0000000000000001-00000000000000a7.ltx
//	head                                                head
//	primary                                             primary
//
// Every object but the last two is created if there is none of its key, and never
// changed. An object from a to b leads from the state after a-1, or any later one,
// to the state after b: to get anywhere, take objects that overlap or adjoin, and of
// each page the image in the last of them. See [Archive] for what keeps writers
// apart.
//
// # Headers
//
// Of the fields of an LTX header, NodeID is ours to use: the upper half is the epoch,
// a random number of each opening of a database, so that no two writers ever make
// the same bytes; the lower half is the sum of the database after the entry, the
// low 32 bits of the exclusive or of all its pages' checksums. Restore and Verify
// compare it. WALOffset, WALSize and the salts say where the entry lay in the
// writer's WAL, as Litestream has them; merged objects have the end, and size zero.
// The flag NoChecksum is set, and the checksums of the database are zero, for
// Litestream refuses to merge anything else. Timestamp is the writer's clock.
//
// # The two hints
//
// head is JSON, {"txid":167,"time":…,"page_size":4096,"pages":1000,"epoch":"0badcafe",
// "sum":"12345678"}: an entry that is in the log, and not long ago was the last one.
// It is written every hundred entries, or after half a minute, and at Close. From
// there one listing finds the end; if it is wrong or gone, it takes a few more.
//
// primary is JSON, too: host, pid, started, epoch and nearlite's version of who
// began to write last, and in "before" of up to eight others. It gives a name to the
// epoch in an entry, and decides nothing.
package archive
