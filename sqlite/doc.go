// Package sqlite is a thin, faithful binding of SQLite: connections, statements,
// blobs, backups, functions, hooks and error codes, without a policy. The engine
// in the package above decides how connections share a file; this package only
// makes what SQLite does available to Go, at close to the speed of C, and is
// useful alone:
//
//	conn, err := sqlite.Open("app.db", sqlite.OpenReadWrite|sqlite.OpenCreate, "")
//	defer conn.Close()
//	err = conn.Exec("CREATE TABLE IF NOT EXISTS city(name, people)")
//	err = conn.Exec("INSERT INTO city VALUES (?, ?)", "Bern", 134000)
//	for row, err := range conn.Query("SELECT name, people FROM city WHERE people > ?", 100_000) {
//		fmt.Println(row.Text(0), row.Int(1))
//	}
//
// # One crossing
//
// A call from Go into C costs some 40 ns. A binding that calls C to bind each
// argument, to step, and to read each column spends more time at the border than
// SQLite spends on a point read. Here a connection and Go share a piece of C
// memory, the port. Go writes all arguments of an execution into it and crosses
// once; C binds, steps and resets, and leaves rows in blocks of up to 32 kB that
// Go reads without crossing again. The outcome of the execution (changes, rowid,
// whether a transaction is still open) lies in the port as well.
//
// All of it is C memory, so there is nothing for cgo to check and nothing to pin,
// and nothing is allocated: not for arguments, which stay on the caller's stack,
// and not for a row. A getter allocates the string or slice that it returns.
//
// # Who may use what, and until when
//
// A [Conn] and all that comes from it belong to one goroutine at a time; SQLite's
// own mutexes are off. Only [Conn.Interrupt], [Conn.InterruptOn] and [Conn.Revoke]
// may come from elsewhere. For concurrency open several connections.
//
//   - A [Stmt] of [Conn.Prepare] is the connection's. It stays in a cache of
//     [DefaultCacheStatements] and is freed when its place is needed, so fetch it
//     anew for each use: that is a map lookup. One of [Conn.PrepareFirst] is the
//     caller's, until Finalize.
//   - A [Row] of [Stmt.QueryRow] can be read until some thousand further rows have
//     been asked for, one of a loop until the next iteration. After that it
//     panics; it never shows another row's values. What [Row.Text], [Row.Blob],
//     [Row.Any] and [Row.Scan] return is the caller's for good; [Row.RawBytes]
//     points into the row.
//   - [Rows], [BlobHandle] and [Backup] are closed by the caller, and at the latest
//     with the connection. The first two keep a snapshot and locks meanwhile.
//   - A [Value], an argument of a function written in Go, is valid until that
//     function returns. Arguments given to SQLite are copied at once.
//
// # Values
//
// A column holds one of five storage classes, whatever it was declared as. Getters
// such as [Row.Int64] convert like SQLite's CAST and never fail; [Row.Scan] and
// [Row.ScanStruct] are strict and name the column that does not fit. Arguments may
// be nil, integers, floats, bools, strings, []byte, time.Time (see [TimeFormat]),
// types made of these, pointers to them, a driver.Valuer and [ZeroBlob], by
// position or by [Named].
//
// # Errors
//
// What SQLite refuses is an [*Error] with its extended code, its text, the
// statement and the place in it. errors.Is matches a [ResultCode], the extended or
// the primary one. An error of a Go function that SQL called is in the chain too,
// and a panic there is a [*PanicError]: nothing unwinds through C.
//
// # Transactions
//
// There is no policy: BEGIN, COMMIT and SAVEPOINT are statements, and outside of a
// transaction each statement is one. [Conn.Transaction] is a convenience. A write
// that returns rows (INSERT … RETURNING) commits when it ends, so read it to its
// end or look at the error of [Rows.Close].
//
// A connection prepared by [Conn.HoldSnapshots] keeps its snapshot between queries
// and tells by comparing 48 bytes of shared memory whether it is still the newest
// commit. What the engine builds on that is for the engine; a program that uses
// this package alone rarely needs it.
//
// # The library
//
// SQLite is written in C, and a single file of it (the amalgamation) is part of
// the module github.com/mattn/go-sqlite3. That module's Go package keeps the C
// interface to itself, so this package declares the prototypes it needs in capi.h
// and lets the linker join the two: a program that imports both has one SQLite
// between them. The price is that the linker cannot complain about a name that is
// missing; a test resolves every one instead. Libraries with the WAL-reset bug
// (before 3.51.3, and 3.52) are refused when the first connection is opened.
//
// Before that, memory statistics are switched off for the process: they cost a
// mutex on every allocation. And what a savepoint may have to take back stays in
// memory up to 128 KiB, before it goes to a temporary file.
//
// # A plain go build
//
// The build tags and C flags of the repository's Makefile are not needed. Without
// them a program has no full-text search (build tag sqlite_fts5) and no SQL math
// functions (sqlite_math_functions), maps at most 2 GiB of a file into memory,
// takes "text" in double quotes for a string where no column has that name, and
// lacks STAT4 samples, the table dbstat and the origin of columns. [CompileOptions]
// says what a binary has.
package sqlite
