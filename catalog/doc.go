// Package catalog keeps many databases in one directory: thousands of them in
// one process, opened when they are used and closed when they are idle.
//
//	cat, err := catalog.Open(ctx, "data", nil)
//	defer cat.Close()
//	_, err = cat.Create(ctx, "customers", nil)
//	h, err := cat.Acquire(ctx, "customers") // opens it, or finds it open
//	defer h.Release()                       // it may be closed some time after
//	err = h.DB().Update(ctx, …)
//
// # Identity
//
// A database is its [ID]: 128 random bits that name its file and never change. A
// name is what people call it, and can be given to another one later. Fork makes a
// new id, Rename moves a name, Delete leaves a tombstone and no file; a name
// used again is another database. The database [Main] is always there.
//
// # What survives what
//
// Every verb is either done or not done, whatever happens in the middle of it:
// the row in the catalog decides, and is committed as safely as SQLite can. See
// table for the order of the steps.
//
// With [Options].Archive the catalog and each database have a log in a store, and a
// directory that is lost comes back from there: an empty one and the same archive
// are enough. Two catalogs cannot both write to one archive; the second to store
// something is told who the first is. Verbs wait for the archive, whatever the
// durability of the databases; see archive.go for the layout.
//
// # Limits
//
// One process has the directory: a second one gets a [LockedError] with the id
// of the first. Each database has a [Config] of its own, and every connection is
// hardened for clients one need not trust; see harden.
package catalog
