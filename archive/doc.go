// Package archive keeps the log of a database in a directory or in a bucket, as
// Litestream lays it out: `litestream restore` reads what it writes, and it reads
// what Litestream wrote.
//
//	log, err := archive.Open(ctx, store, &archive.Options{Maintain: true})
//	…
//	db, err := nearlite.Open(ctx, path, &nearlite.Options{Log: log})
package archive
