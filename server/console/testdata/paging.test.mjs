// What paging.js writes is run against SQLite, in Go: see TestPages. Here only that
// names and values stay what they are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { counting, key, page } from "../static/paging.js";

const column = (name, more = {}) => ({ name, type: "TEXT", primary_key: 0, hidden: false, ...more });
const table = (columns, more = {}) => ({ name: "t", type: "table", without_rowid: false, columns, ...more });

test("names are quoted, values are parameters", () => {
  const strange = table([column("a\"; DROP TABLE x --")], { name: "t\"'" });
  const { sql, params } = page(strange, { filter: { column: "a\"; DROP TABLE x --", operator: "=", value: "'; DROP TABLE x --" }, size: 10 });
  assert.equal(sql, "SELECT \"a\"\"; DROP TABLE x --\", rowid FROM \"t\"\"'\" WHERE (\"a\"\"; DROP TABLE x --\" = ?1) ORDER BY rowid ASC LIMIT 11");
  assert.deepEqual(params, ["'; DROP TABLE x --"]);
});

test("the key is the rowid by a name that is free, or the primary key", () => {
  const names = (t) => key(t).map((k) => k.name);
  assert.deepEqual(names(table([column("a")])), ["rowid"]);
  assert.deepEqual(names(table([column("ROWID")])), ["_rowid_"]);
  assert.deepEqual(names(table([column("rowid"), column("_rowid_"), column("oid")])), []);
  assert.deepEqual(names(table([column("a", { primary_key: 2 }), column("b", { primary_key: 1 })], { without_rowid: true })), ["b", "a"]);
  assert.deepEqual(names(table([column("a")], { type: "view" })), []);
});

test("LIKE's own signs are escaped", () => {
  assert.deepEqual(counting(table([column("a")]), { column: "", operator: "contains", value: "50%_\\" }, 9).params, ["%50\\%\\_\\\\%"]);
});

test("a filter that says nothing is none", () => {
  assert.deepEqual(counting(table([column("a")]), { column: "", operator: "=", value: "" }, 9).params, []);
  assert.match(counting(table([column("a")]), { column: "a", operator: "is null", value: "" }, 9).sql, /"a" IS NULL/);
});
