package blob

import "strings"

// An object is an entry in the table of names and its content elsewhere, so that
// listing a thousand objects reads thirty pages and none of content.
//
//	blob          name → size, mtime, type, sha256 and where the content lies
//	blob_place    name → where the content lies, an index: Get looks no further
//	blob_content  the content of objects of one row, by id
//	blob_chunk    the rows of larger ones: row i of object id has the key id << 24 | i
//	blob_loose    the ids of chunked contents that no name points to
//
// A row of names takes 80 bytes, one of the index 30, so that more of the index is
// in the processor's caches: of the 4.5 µs that reading 10 kB by name took without
// it, it saves 0.5.
//
// docs/FORMAT.md has every column. The ids of chunked contents come from
// blob_loose, where AUTOINCREMENT sees to it that none is ever used twice: one
// who reads an object without a transaction finds that object's rows, or none.
const create = `
CREATE TABLE IF NOT EXISTS blob(
  name TEXT NOT NULL PRIMARY KEY,
  id INTEGER NOT NULL,
  chunk INTEGER NOT NULL,
  size INTEGER NOT NULL,
  mtime INTEGER NOT NULL,
  type TEXT NOT NULL,
  sha256 BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blob_place ON blob(name, id, chunk, size);
CREATE TABLE IF NOT EXISTS blob_content(id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS blob_chunk(id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS blob_loose(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  deleted INTEGER NOT NULL,
  since INTEGER NOT NULL
) STRICT`

const (
	seqBits = 24 // of a key of blob_chunk
	seqMax  = 1 << seqBits
)

// chunkKey is the key of row i of a chunked content.
func chunkKey(id, i int64) int64 { return id<<seqBits | i }

// columns are what entry reads, in its order.
const columns = "id, chunk, size, mtime, type, sha256"

// statements are those of one store.
type statements struct {
	create []string

	find    string // name
	get     string // name: id, chunk, size and, of an object of one row, the content
	list    string // from, to, how many: columns, name
	exists  string // from, to: is there a name
	usage   string // from, to: how many, their sizes
	publish string // name, columns
	refresh string // mtime, type, sha256, name: of content of the same size in the same place
	rename  string // to, from
	remove  string // name

	content       string // id
	addContent    string // content
	setContent    string // content, id
	removeContent string // id

	chunk        string // key
	addChunk     string // key, content
	removeChunks string // first key, last key, how many

	stage       string // since: the id is the new row's
	loosen      string // id, since
	touch       string // since, id
	abandon     string // id
	removeLoose string // id
	stale       string // deleted before, untouched since before: id
}

func newStatements(table string) statements {
	in := func(sql string) string { return strings.ReplaceAll(sql, "blob", table) }
	return statements{
		create: strings.Split(in(create), ";\n"),

		find: in("SELECT " + columns + " FROM blob WHERE name = ?"),
		get: in("SELECT b.id, b.chunk, b.size, c.content FROM blob b INDEXED BY blob_place LEFT JOIN blob_content c" +
			" ON b.chunk = 0 AND c.id = b.id WHERE b.name = ?"),
		list:   in("SELECT " + columns + ", name FROM blob WHERE name >= ? AND name < ? ORDER BY name LIMIT ?"),
		exists: in("SELECT 1 FROM blob WHERE name >= ? AND name < ? LIMIT 1"),
		usage:  in("SELECT count(*), coalesce(sum(size), 0) FROM blob WHERE name >= ? AND name < ?"),
		publish: in("INSERT INTO blob(name, " + columns + ") VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(name) DO UPDATE SET" +
			" id = excluded.id, chunk = excluded.chunk, size = excluded.size, mtime = excluded.mtime," +
			" type = excluded.type, sha256 = excluded.sha256"),
		refresh: in("UPDATE blob SET mtime = ?, type = ?, sha256 = ? WHERE name = ?"),
		rename:  in("UPDATE blob SET name = ? WHERE name = ?"),
		remove:  in("DELETE FROM blob WHERE name = ?"),

		content:       in("SELECT content FROM blob_content WHERE id = ?"),
		addContent:    in("INSERT INTO blob_content(content) VALUES (?)"),
		setContent:    in("UPDATE blob_content SET content = ? WHERE id = ?"),
		removeContent: in("DELETE FROM blob_content WHERE id = ?"),

		chunk:    in("SELECT content FROM blob_chunk WHERE id = ?"),
		addChunk: in("INSERT INTO blob_chunk(id, content) VALUES (?, ?)"),
		removeChunks: in("DELETE FROM blob_chunk WHERE id IN" +
			" (SELECT id FROM blob_chunk WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?)"),

		stage:       in("INSERT INTO blob_loose(deleted, since) VALUES (0, ?)"),
		loosen:      in("INSERT INTO blob_loose(id, deleted, since) VALUES (?, 1, ?)"),
		touch:       in("UPDATE blob_loose SET since = ? WHERE id = ? AND deleted = 0"),
		abandon:     in("UPDATE blob_loose SET deleted = 1, since = 0 WHERE id = ?"),
		removeLoose: in("DELETE FROM blob_loose WHERE id = ?"),
		stale:       in("SELECT id FROM blob_loose WHERE deleted = 1 AND since < ? OR deleted = 0 AND since < ? LIMIT 1"),
	}
}
