// @libsql/client: everything its documentation shows, over http and over ws.
import assert from "node:assert/strict";
import { createClient, LibsqlError } from "@libsql/client";

const url = process.env.DATABASE_URL;
const authToken = process.env.DATABASE_TOKEN || undefined;
const opened = [];
const open = (config = {}) => {
  opened.push(createClient({ url, authToken, ...config }));
  return opened.at(-1);
};
const client = open();

async function fails(promise, code, message) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof LibsqlError, `${error} is no LibsqlError`);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

const checks = {
  async execute() {
    await client.execute("CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, price REAL, cover BLOB)");
    const inserted = await client.execute({ sql: "INSERT INTO book (title, price) VALUES (?, ?)", args: ["Sqlite", 9.5] });
    assert.equal(inserted.rowsAffected, 1);
    assert.equal(inserted.lastInsertRowid, 1n);
    const named = await client.execute({ sql: "INSERT INTO book (title) VALUES (:title) RETURNING id", args: { title: "Named" } });
    assert.equal(named.rows[0].id, 2);
    const found = await client.execute("SELECT id, title, price FROM book WHERE id = ?", [1]);
    assert.deepEqual(found.columns, ["id", "title", "price"]);
    assert.deepEqual(found.columnTypes, ["INTEGER", "TEXT", "REAL"]);
    assert.deepEqual({ ...found.rows[0] }, { id: 1, title: "Sqlite", price: 9.5 });
    assert.equal(found.rows[0][1], "Sqlite");
    assert.equal((await client.execute("DELETE FROM book WHERE id = 2")).rowsAffected, 1);
  },

  async values() {
    const blob = new Uint8Array([0, 1, 254, 255]);
    const answer = await client.execute({
      sql: "SELECT ?, ?, ?, ?, ?, ?, ?",
      args: [null, 1, 1.5, "naïve 🙂", blob, true, new Date(1700000000000)],
    });
    const row = Array.from(answer.rows[0]);
    assert.deepEqual(row.slice(0, 4), [null, 1, 1.5, "naïve 🙂"]);
    assert.deepEqual(new Uint8Array(row[4]), blob);
    assert.deepEqual(row.slice(5), [1, 1700000000000]);
    const large = 9007199254740993n;
    assert.equal((await open({ intMode: "bigint" }).execute({ sql: "SELECT ?", args: [large] })).rows[0][0], large);
    assert.equal((await open({ intMode: "string" }).execute({ sql: "SELECT ?", args: [large] })).rows[0][0], String(large));
    await assert.rejects(open({ intMode: "number" }).execute({ sql: "SELECT ?", args: [large] }), RangeError);
    assert.equal((await client.execute("SELECT 9007199254740991")).rows[0][0], 9007199254740991);
    const text = "x".repeat(300_000);
    assert.equal((await client.execute({ sql: "SELECT ?", args: [text] })).rows[0][0], text);
  },

  async batches() {
    for (const mode of ["write", "deferred"]) {
      const results = await client.batch(
        [`CREATE TABLE b_${mode} (x)`, { sql: `INSERT INTO b_${mode} VALUES (?), (?)`, args: [1, 2] }, `SELECT sum(x) AS s FROM b_${mode}`],
        mode,
      );
      assert.deepEqual(results.map((r) => r.rowsAffected), [0, 2, 0]);
      assert.equal(results[2].rows[0].s, 3);
    }
    assert.equal((await client.batch(["SELECT 1 AS one", "SELECT 2 AS two"], "read"))[1].rows[0].two, 2);
    await fails(client.batch(["INSERT INTO b_write VALUES (3)", "INSERT INTO missing VALUES (1)"], "write"), "SQLITE_UNKNOWN", /no such table: missing/);
    assert.equal((await client.execute("SELECT count(*) AS n FROM b_write")).rows[0].n, 2, "a batch that fails leaves nothing");
  },

  async transactions() {
    await client.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER CHECK (balance >= 0))");
    await client.execute("INSERT INTO account VALUES (1, 100), (2, 0)");
    for (const mode of ["write", "deferred"]) {
      const tx = await client.transaction(mode);
      await tx.execute("UPDATE account SET balance = balance - 10 WHERE id = 1");
      assert.equal((await tx.execute("SELECT balance FROM account WHERE id = 1")).rows[0].balance % 10, 0);
      await tx.batch([{ sql: "UPDATE account SET balance = balance + ? WHERE id = 2", args: [10] }]);
      await tx.commit();
      assert.equal(tx.closed, true);
    }
    assert.equal((await client.execute("SELECT balance FROM account WHERE id = 2")).rows[0].balance, 20);

    const back = await client.transaction("write");
    await back.execute("DELETE FROM account");
    await back.rollback();
    const left = await client.transaction("write");
    await left.execute("DELETE FROM account");
    left.close();
    assert.equal((await client.execute("SELECT count(*) AS n FROM account")).rows[0].n, 2);

    const read = await client.transaction("read");
    assert.equal((await read.execute("SELECT count(*) AS n FROM account")).rows[0].n, 2);
    await read.commit();

    const bad = await client.transaction("write");
    await fails(bad.execute("UPDATE account SET balance = -1"), "SQLITE_CONSTRAINT", /CHECK constraint failed/);
    assert.equal((await bad.execute("SELECT 1 AS one")).rows[0].one, 1, "the transaction goes on after an error");
    await bad.executeMultiple("UPDATE account SET balance = 1; UPDATE account SET balance = 2;");
    await bad.commit();
    assert.equal((await client.execute("SELECT sum(balance) AS s FROM account")).rows[0].s, 4);
    await fails(bad.execute("SELECT 1"), "TRANSACTION_CLOSED", /closed/);
  },

  async scripts() {
    await client.executeMultiple(`
      CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT);
      CREATE TABLE log (what TEXT);
      CREATE TRIGGER note_log AFTER INSERT ON note BEGIN INSERT INTO log VALUES (new.body); END;
      INSERT INTO note (body) VALUES ('a;b'), ('c');
    `);
    assert.equal((await client.execute("SELECT count(*) AS n FROM log")).rows[0].n, 2);
    await fails(client.executeMultiple("INSERT INTO note (body) VALUES ('d'); INSERT INTO missing VALUES (1); INSERT INTO note (body) VALUES ('e')"), "SQLITE_UNKNOWN", /no such table/);
    assert.equal((await client.execute("SELECT count(*) AS n FROM note")).rows[0].n, 3, "what came before the error stays");
  },

  async migrations() {
    await client.execute("CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT)");
    await client.execute("CREATE TABLE work (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES author (id))");
    await client.execute("INSERT INTO author VALUES (1, 'A')");
    await client.execute("INSERT INTO work VALUES (1, 1)");
    // SQLite's way to change a table that others refer to: foreign keys off meanwhile.
    await client.migrate([
      "CREATE TABLE author_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
      "INSERT INTO author_new SELECT * FROM author",
      "DROP TABLE author",
      "ALTER TABLE author_new RENAME TO author",
    ]);
    assert.equal((await client.execute("SELECT count(*) AS n FROM work")).rows[0].n, 1);
    await fails(client.execute("INSERT INTO work VALUES (2, 99)"), "SQLITE_CONSTRAINT", /FOREIGN KEY constraint failed/);
  },

  async errors() {
    await fails(client.execute("SELECT * FROM missing"), "SQLITE_UNKNOWN", /^SQLITE_UNKNOWN: SQLite error: no such table: missing$/);
    await fails(client.execute("SELECT missing"), "SQL_INPUT_ERROR", /no such column: missing \(at offset 7\)/);
    await fails(client.execute("SELEC 1"), "SQL_PARSE_ERROR", /SQL string could not be parsed/);
    await fails(client.execute("SELECT 1; SELECT 2"), "SQL_MANY_STATEMENTS", /more than one statement/);
    await fails(client.execute(""), "SQL_NO_STATEMENT", /does not contain any statement/);
    await fails(client.execute({ sql: "SELECT ?, ?", args: [1] }), "ARGS_INVALID", /parameter 2 not found/);
    await fails(client.execute("INSERT INTO book (id, title) VALUES (1, 'again')"), "SQLITE_CONSTRAINT", /UNIQUE constraint failed: book.id/);
    await fails(client.execute("INSERT INTO book (title) VALUES (NULL)"), "SQLITE_CONSTRAINT", /NOT NULL constraint failed: book.title/);
    await fails(client.execute("INSERT INTO book (id, title) VALUES ('x', 'y')"), "SQLITE_MISMATCH", /datatype mismatch/);
  },

  async concurrency() {
    await client.execute("CREATE TABLE counter (n INTEGER)");
    await client.execute("INSERT INTO counter VALUES (0)");
    await Promise.all(Array.from({ length: 50 }, () => client.execute("UPDATE counter SET n = n + 1")));
    assert.equal((await client.execute("SELECT n FROM counter")).rows[0].n, 50);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => client.execute({ sql: "SELECT ? AS i", args: [i] })));
    assert.deepEqual(answers.map((a) => a.rows[0].i), Array.from({ length: 50 }, (_, i) => i));
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log("ok", name);
}
for (const one of opened) one.close();
