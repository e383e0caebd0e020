import assert from "node:assert/strict";
import { test } from "node:test";
import { csv, json } from "../static/export.js";
import { Exact, parse, stringify } from "../static/json.js";
import { blobBytes, blobSize, bytes, count, hex, hexdump, seconds, short, span, storage, version } from "../static/format.js";

test("integers of 64 bits and reals come as they are", () => {
  const value = parse('{"a":[9223372036854775807,-9223372036854775808,1.0,1.5,1e300,12,"9223372036854775807",null,0.1]}');
  assert.deepEqual(value.a.map(String), ["9223372036854775807", "-9223372036854775808", "1.0", "1.5", "1e300", "12", "9223372036854775807", "null", "0.1"]);
  assert.ok(value.a[0] instanceof Exact);
  assert.equal(typeof value.a[3], "number");
  assert.equal(stringify(value.a[0]), "9223372036854775807");
});

test("strings are left alone", () => {
  const texts = ['a "1.0" b', "\\", '\\"', "1.0, 12345678901234567890", "x\\\\", "\u2028", "{\"\u0001exact\":\"1\"}", ""];
  assert.deepEqual(parse(JSON.stringify([1, texts, 2.0])), [1, texts, 2]);
  const mixed = `[1.0,${JSON.stringify(texts)},12345678901234567890]`;
  assert.deepEqual(parse(mixed)[1], texts);
  assert.throws(() => parse('{"a":'), SyntaxError);
  assert.throws(() => parse('["a'), SyntaxError);
});

test("stringify writes what JSON.stringify does", () => {
  const value = { a: [1, "x", null, undefined], b: { c: true, d: undefined }, e: [] };
  assert.equal(stringify(value), JSON.stringify(value));
  assert.equal(stringify(value, "  "), JSON.stringify(value, null, 2));
});

const blob = { base64: "AP8Q" };

test("CSV is quoted as RFC 4180 has it", () => {
  const rows = [[1, "plain", null], ["a,b", 'say "hi"', ""], ["two\nlines", " blank", blob]];
  assert.equal(csv(["id", "a,b", ""], rows), 'id,"a,b",""\r\n1,plain,\r\n"a,b","say ""hi""",""\r\n"two\nlines"," blank",00ff10\r\n');
});

test("JSON keeps numbers and tells columns of one name apart", () => {
  assert.equal(json(["a", "a", "a_2"], [[new Exact("9223372036854775807"), "<&>", blob]]),
    '[\n  {"a": 9223372036854775807, "a_3": "<&>", "a_2": {"base64":"AP8Q"}}\n]\n');
  assert.equal(json(["a"], []), "[]\n");
});

test("blobs", () => {
  assert.equal(blobSize(blob), 3);
  assert.equal(blobSize({ base64: "AA==" }), 1);
  assert.equal(blobSize({ base64: "" }), 0);
  assert.equal(hex(blobBytes(blob, 2)), "00ff");
  assert.equal(hexdump(blobBytes({ base64: btoa("Hello, world! 123\n") })),
    "00000000  48 65 6c 6c 6f 2c 20 77 6f 72 6c 64 21 20 31 32  Hello, world! 12\n00000010  33 0a                                            3·");
});

test("figures are written for people", () => {
  const plain = (text) => text.replace(/[\u00a0\u202f]/g, " ");
  assert.equal(plain(count(1234567)), "1 234 567");
  assert.deepEqual([0, 7, 999, 1234, 45_678, 1.5e6, 2e9].map((n) => plain(short(n))), ["0", "7", "999", "1.23 k", "45.7 k", "1.5 M", "2 G"]);
  assert.deepEqual([0, 512, 1024, 1536, 5 << 20].map((n) => plain(bytes(n))), ["0 B", "512 B", "1 KiB", "1.5 KiB", "5 MiB"]);
  assert.deepEqual([0, 0.000123, 0.0123, 1.5].map((n) => plain(seconds(n))), ["0 ms", "123 µs", "12.3 ms", "1.5 s"]);
  assert.deepEqual([5, 65, 3725, 90061].map((n) => plain(span(n))), ["5 s", "1 min", "1 h 2 min", "1 d 1 h"]);
});

test("a build between releases is called by its commit", () => {
  assert.equal(version("nearlite v0.0.0-20261121185021-a90c63f019dc"), "build a90c63f");
  assert.equal(version("v1.2.3"), "v1.2.3");
});

test("storage classes", () => {
  assert.deepEqual([null, 1, 1.5, new Exact("1.0"), new Exact("9223372036854775807"), "", blob].map(storage),
    ["null", "integer", "real", "real", "integer", "text", "blob"]);
});
