// npm libsql on a remote database: the Rust client, over /v3/pipeline and /v3/cursor.
import assert from "node:assert/strict";
import Database from "libsql";

const db = new Database(process.env.DATABASE_URL, { authToken: process.env.DATABASE_TOKEN || "" });
db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, data BLOB); INSERT INTO t (name) VALUES ('a'), ('b')");

// get adds how long the statement took.
const get = (sql, ...args) => {
  const { _metadata, ...row } = db.prepare(sql).get(...args);
  return row;
};

const insert = db.prepare("INSERT INTO t (name, data) VALUES (?, ?)");
const info = insert.run("c", Buffer.from([0, 255]));
assert.equal(info.changes, 1);
assert.equal(info.lastInsertRowid, 3);

const select = db.prepare("SELECT id, name FROM t WHERE id > ? ORDER BY id");
assert.deepEqual(select.all(1), [{ id: 2, name: "b" }, { id: 3, name: "c" }]);
assert.deepEqual(get("SELECT name FROM t WHERE id = ?", 1), { name: "a" });
assert.deepEqual(get("SELECT data FROM t WHERE id = 3"), { data: Buffer.from([0, 255]) });
assert.deepEqual(db.prepare("SELECT id, name FROM t").raw().all()[0], [1, "a"]);
assert.deepEqual(db.prepare("SELECT 9007199254740993 AS n").safeIntegers().all(), [{ n: 9007199254740993n }]);
assert.deepEqual([...db.prepare("SELECT id FROM t ORDER BY id").iterate()].map((row) => row.id), [1, 2, 3]);
assert.deepEqual(get("INSERT INTO t (name) VALUES ('d') RETURNING id, name"), { id: 4, name: "d" });

const both = db.transaction((names) => { for (const name of names) db.prepare("INSERT INTO t (name, data) VALUES (?, ?)").run(name, null); });
both(["e", "f"]);
assert.throws(() => both(["g", null]), /NOT NULL constraint failed/);
assert.equal(db.prepare("SELECT count(*) AS n FROM t").get().n, 6);

assert.throws(() => db.prepare("SELECT * FROM missing").all(), /no such table: missing/);
assert.throws(() => db.exec("SELECT missing"), /no such column: missing/);
db.close();
console.log("ok");
