// From the counters of two answers of GET /v1/status to what happened between them.

/** SPAN is how many seconds of figures are kept. */
export const SPAN = 180;

const PAUSE = 4; // seconds without an answer, after which a line is not drawn on

/** Figures collects answers and holds a point for each pair of neighbours. */
export class Figures {
  constructor() {
    this.reset();
  }

  /** reset forgets everything: another database, another story. */
  reset() {
    this.points = []; // {t, …figures}, or {t, gap: true} where the line is broken
    this.last = null;
    this.restarts = []; // when the server was found to be another one
  }

  /** add takes one answer and when it came, in seconds of a clock that does not jump. */
  add(status, t) {
    const before = this.last;
    this.last = { status, t };
    if (before && before.status.instance !== status.instance) {
      this.restarts.push(t);
      this.points.push({ t, gap: true });
    } else if (before && t > before.t) {
      // A page that slept has only the mean of that time, which is no line.
      if (t - before.t > PAUSE) this.points.push({ t: before.t, gap: true });
      this.points.push({ t, ...between(before, this.last) });
    }
    this.#forget(t);
  }

  /** lost notes that no answer came. */
  lost(t) {
    if (!this.points.at(-1)?.gap) this.points.push({ t, gap: true });
    this.#forget(t);
  }

  /** near returns the point closest to a time, or null. */
  near(t) {
    let best = null;
    for (const p of this.points) {
      if (!p.gap && (!best || Math.abs(p.t - t) < Math.abs(best.t - t))) best = p;
    }
    return best;
  }

  /** latest returns the last point, unless it is a gap. */
  latest() {
    const p = this.points.at(-1);
    return p && !p.gap ? p : null;
  }

  #forget(t) {
    const old = (time) => time < t - SPAN - 5;
    while (this.points.length > 0 && old(this.points[0].t)) this.points.shift();
    while (this.restarts.length > 0 && old(this.restarts[0])) this.restarts.shift();
  }
}

function between(before, after) {
  const a = before.status.database;
  const b = after.status.database;
  // The server's own clock knows best how long it was between two answers.
  const told = (Date.parse(after.status.now) - Date.parse(before.status.now)) / 1000;
  const elapsed = told > 0 && told < 2 * (after.t - before.t) + 1 ? told : after.t - before.t;
  const rate = (name) => Math.max(0, b[name] - a[name]) / elapsed;
  const commits = b.commits - a.commits;
  return {
    commits: rate("commits"),
    transactions: rate("transactions"),
    batch: commits > 0 ? (b.transactions - a.transactions) / commits : null,
    ...quantiles("commit", a.commit_latency, b.commit_latency),
    reads: rate("reads"),
    rows: rate("rows_read"),
    ...quantiles("read", a.read_latency, b.read_latency),
    wal: b.wal_bytes,
    streams: after.status.streams.open,
    inTransaction: after.status.streams.transactions,
    queue: b.queue_depth,
  };
}

function quantiles(name, a, b) {
  const counts = (b?.counts ?? []).map((n, i) => n - (a?.counts?.[i] ?? 0));
  return { [`${name}P50`]: quantile(b?.bounds ?? [], counts, 0.5), [`${name}P99`]: quantile(b?.bounds ?? [], counts, 0.99) };
}

/**
 * quantile estimates one from the counts of a histogram's intervals, as
 * Spread.Quantile does in Go; null when nothing was counted.
 */
export function quantile(bounds, counts, q) {
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (total <= 0 || bounds.length === 0) return null;
  const rank = q * total;
  let below = 0;
  for (let i = 0; i < bounds.length; i++) {
    if (counts[i] > 0 && below + counts[i] >= rank) {
      const from = i > 0 ? bounds[i - 1] : 0;
      return from + ((bounds[i] - from) * (rank - below)) / counts[i];
    }
    below += counts[i];
  }
  return bounds.at(-1);
}
