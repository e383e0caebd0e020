// Package blob keeps named binary objects in a database: files, images, documents,
// from nothing to many gigabytes, written and read in the same transactions as
// everything else. An order and its invoice are there together or not at all.
//
//	files, err := blob.New("")
//	…
//	err = db.Update(ctx, func(tx *nearlite.WriteTx) error {
//		if _, err := tx.Exec("INSERT INTO invoice(number, file) VALUES (?, ?)", 7, "2026/7.pdf"); err != nil {
//			return err
//		}
//		_, err := files.Put(tx, "2026/7.pdf", pdf, &blob.PutOptions{ContentType: "application/pdf"})
//		return err
//	})
//
// # Inside a transaction
//
// [Store.Put], [Store.Get], [Store.Append], [Store.Stat], [Store.List],
// [Store.Delete] and [Store.Rename] are for objects that fit in memory;
// [Store.Open] and [Store.Create] read and write as streams. All of them see and
// change what their transaction does.
//
// # Outside of one
//
// What takes long must not hold a transaction. [Store.Upload] writes a stream in
// many short ones and lets the object appear in the last. [Store.FS] is the store
// as an [io/fs.FS], whose files can be read for as long as a client likes.
// [Store.Handler] serves it over HTTP, with ranges and strong ETags.
// [Store.Import] and [Store.Export] copy directories, and [Store.Sweep] frees
// what large deleted objects leave behind.
//
// # How it is fast
//
// A file system opens and closes each file; here that is a search of a tree in
// memory. An object of up to [RowSize] bytes is one row, read with one copy into
// the caller's buffer and no allocation (see [Store.Append]); a larger one is rows
// of that size. Names, sizes and sums lie apart from the content, some thirty
// objects to a page. On the machine this was written on, random objects of 10 kB
// came in 0.8 to 0.9 of the time of open, fstat, read and close when the database was
// mapped into memory, which is the default while it fits, and in 1.1 to 1.4 of it
// when it was not; `nearlite bench blobs` measures yours.
//
// # The tables
//
// They are ordinary tables, described in docs/FORMAT.md, and SQL may read them:
// a join of one's own table with blob on the name is fine. Change them only
// through this package.
package blob
