import assert from "node:assert/strict";
import { test } from "node:test";
import { Figures, quantile } from "../static/figures.js";
import { decades, linear, niceBytes, niceCount, niceDecimal } from "../static/plot.js";

const status = (at, { instance = "a", counts = [0, 0, 0], ...database } = {}) => ({
  instance, now: new Date(at * 1000).toISOString(), streams: { open: 2, transactions: 1 },
  database: { transactions: 0, commits: 0, reads: 0, rows_read: 0, wal_bytes: 4096, queue_depth: 0, commit_latency: { bounds: [0.001, 0.002], counts }, read_latency: { bounds: [], counts: [0] }, ...database },
});

test("a point is the difference of two answers", () => {
  const f = new Figures();
  f.add(status(100), 10);
  f.add(status(101, { transactions: 300, commits: 100, reads: 50, counts: [50, 50, 0] }), 11.1);
  const p = f.latest();
  assert.equal(p.transactions, 300, "per second of the server's clock");
  assert.equal(p.batch, 3);
  assert.equal(p.commitP50, 0.001);
  assert.ok(Math.abs(p.commitP99 - 0.00198) < 1e-9);
  assert.equal(p.readP50, null, "nothing was read");
  assert.equal(p.wal, 4096);
});

test("a restart and a lost answer break the line", () => {
  const f = new Figures();
  f.add(status(100, { transactions: 900 }), 10);
  f.add(status(101, { transactions: 910 }), 11);
  f.lost(12);
  f.lost(13);
  f.add(status(104, { instance: "b" }), 14);
  f.add(status(105, { instance: "b", transactions: 7 }), 15);
  assert.deepEqual(f.points.map((p) => (p.gap ? "gap" : p.transactions)), [10, "gap", "gap", 7]);
  assert.deepEqual(f.restarts, [14]);
  assert.equal(f.near(14).transactions, 7);
});

test("a wrong clock does not matter, and old points go", () => {
  const f = new Figures();
  f.add(status(100), 10);
  f.add(status(50, { transactions: 20 }), 12);
  assert.equal(f.latest().transactions, 10);
  for (let t = 13; t < 400; t++) f.add(status(t, { transactions: t }), t);
  assert.ok(f.points.length < 200);
});

test("after a long pause the line begins anew", () => {
  const f = new Figures();
  f.add(status(100), 10);
  f.add(status(101), 11);
  f.add(status(161), 71);
  assert.deepEqual(f.points.map((p) => Boolean(p.gap)), [false, true, false]);
});

test("quantiles are those of the server", () => {
  assert.equal(quantile([1, 2, 4], [2, 0, 2, 0], 0.75), 3);
  assert.equal(quantile([1, 2, 4], [0, 0, 0, 5], 0.5), 4);
  assert.equal(quantile([1, 2, 4], [0, 0, 0, 0], 0.5), null);
});

test("axes end on round figures", () => {
  for (const biggest of [0, 1e-7, 0.3, 1, 9.7, 10, 11, 999, 1000, 123456, 5e9]) {
    for (const nice of [niceDecimal, niceCount, niceBytes]) {
      const { top, step } = nice(biggest);
      assert.ok(top >= biggest && step > 0, `${nice.name}(${biggest}) is ${top}`);
      const parts = top / step;
      assert.ok(Math.abs(parts - Math.round(parts)) < 1e-9 && parts <= 5, `${top} in ${parts} parts`);
      if (biggest > 4096) assert.ok(top <= biggest * 2.6, `${top} is far above ${biggest}`);
    }
  }
  assert.deepEqual(niceCount(3), { top: 4, step: 1 });
});

test("scales hold every value between their marks", () => {
  const { marks, part } = linear(niceDecimal)([3, 0, 9.5]);
  assert.deepEqual(marks, [0, 2.5, 5, 7.5, 10]);
  assert.equal(part(5), 0.5);
  const log = decades(1e-4, 1e-2)([0.0003, 2.4, 0]);
  assert.deepEqual(log.marks.map((m) => m.toPrecision(1)), ["0.0001", "0.001", "0.01", "0.1", "1", "1e+1"]);
  assert.equal(log.part(0), 0);
  assert.ok(Math.abs(log.part(1) - 0.8) < 1e-9 && log.part(2.4) < 1);
  assert.equal(decades(1e-4, 1e-2)([]).marks.length, 3);
});
