import assert from "node:assert/strict";
import { test } from "node:test";
import { indexOfByte, lineAndColumn, quote, statementAt, statements, tokens, verb } from "../static/sql.js";

const trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 2; END";

for (const [name, text, want] of [
  ["two", "SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]],
  ["no semicolon", "  SELECT 1  ", ["SELECT 1"]],
  ["in a string", "SELECT ';'; SELECT 2", ["SELECT ';'", "SELECT 2"]],
  ["a doubled quote", "SELECT 'it''s;'; SELECT 2", ["SELECT 'it''s;'", "SELECT 2"]],
  ["in names", "SELECT \";\", [;], `;`; SELECT 2", ["SELECT \";\", [;], `;`", "SELECT 2"]],
  ["in comments", "SELECT 1 -- ;\n; /* ; */ SELECT 2", ["SELECT 1", "SELECT 2"]],
  ["a comment inside", "SELECT /* ; */ 1", ["SELECT /* ; */ 1"]],
  ["inside a trigger", `${trigger}; SELECT 3`, [trigger, "SELECT 3"]],
  ["a temporary trigger", `explain query plan create temporary trigger t begin select 1; end; SELECT 3`, ["explain query plan create temporary trigger t begin select 1; end", "SELECT 3"]],
  ["a table called trigger", "CREATE TABLE \"trigger\" (a); SELECT 1", ["CREATE TABLE \"trigger\" (a)", "SELECT 1"]],
  ["BEGIN is no trigger", "BEGIN; SELECT 1; END; SELECT 2", ["BEGIN", "SELECT 1", "END", "SELECT 2"]],
  ["nothing", "", []],
  ["only comments", "-- a\n/* b */ ;;", []],
  ["an open string", "SELECT 'a; b", ["SELECT 'a; b"]],
  ["an open comment", "SELECT 1; /* a; b", ["SELECT 1"]],
  ["more than the basic plane", "SELECT '😀'; SELECT '𝔘'", ["SELECT '😀'", "SELECT '𝔘'"]],
]) {
  test(`statements: ${name}`, () => {
    const found = statements(text);
    assert.deepEqual(found.map((s) => s.text), want);
    for (const s of found) assert.equal(text.slice(s.start, s.end), s.text);
  });
}

test("statementAt finds the statement the cursor is in", () => {
  const text = "SELECT 1; SELECT 2;\n\n-- three\nSELECT 3";
  const at = (cursor) => statementAt(text, cursor)?.text;
  assert.equal(at(0), "SELECT 1");
  assert.equal(at(9), "SELECT 1", "behind its semicolon");
  assert.equal(at(11), "SELECT 2");
  assert.equal(at(text.indexOf("\n")), "SELECT 2", "at the end of the line");
  assert.equal(at(text.indexOf("-- three")), "SELECT 3");
  assert.equal(at(text.length), "SELECT 3");
  assert.equal(statementAt("-- nothing", 3), null);
});

test("tokens have no holes", () => {
  for (const text of ["SELECT a.b, 'x''y', x'00ff', 1.5e-3, 0x1F, ?1, :n, @v, $w, [a], `b`, \"c\" -- end", "/* open", "'open", "a\u0000b", "€ ünïcødé 😀"]) {
    let at = 0;
    for (const t of tokens(text)) {
      assert.equal(t.start, at);
      assert.equal(text.slice(t.start, t.end), t.text);
      at = t.end;
    }
    assert.equal(at, text.length);
  }
  const types = [...tokens("select x'0f' 'a' \"b\" 12 .5 :p -- c")].filter((t) => t.type !== "blank").map((t) => t.type);
  assert.deepEqual(types, ["keyword", "blob", "string", "name", "number", "number", "parameter", "comment"]);
});

test("long texts take no time to speak of", () => {
  const began = performance.now();
  assert.equal(statements(`SELECT '${"x".repeat(2e6)}'; SELECT 2`).length, 2);
  assert.equal(statements("SELECT 1;\n".repeat(20_000)).length, 20_000);
  assert.ok(performance.now() - began < 5000);
});

test("quote makes a name of anything", () => {
  assert.equal(quote("a"), "\"a\"");
  assert.equal(quote("a \"b\"; DROP TABLE x --"), "\"a \"\"b\"\"; DROP TABLE x --\"");
});

test("verb is the first word", () => {
  assert.equal(verb(" /* a */ -- b\n insert into t"), "INSERT");
  assert.equal(verb(""), "");
});

test("offsets in bytes become places in the text", () => {
  assert.equal(indexOfByte("SELECT x", 7), 7);
  assert.equal(indexOfByte("'é€😀' x", 1 + 2 + 3 + 4 + 2), "'é€😀' ".length);
  assert.equal(indexOfByte("ab", 99), 2);
  assert.deepEqual(lineAndColumn("a\nbc\nd", 3), { line: 2, column: 2 });
  assert.deepEqual(lineAndColumn("a", 0), { line: 1, column: 1 });
});
