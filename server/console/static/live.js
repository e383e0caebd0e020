// The live view: plots of what the server does, a second a point.

import { Plot, decades, linear, niceBytes, niceCount } from "./plot.js";
import { bytes, count, seconds, short, span, version } from "./format.js";
import { h, put } from "./dom.js";

/** LiveView draws what the monitor has. */
export class LiveView {
  #cursor = {
    at: null,
    set: (t) => {
      this.#cursor.at = t;
      this.draw();
    },
  };

  constructor(app) {
    this.app = app;
    const plot = (spec) => new Plot({ cursor: this.#cursor, ...spec });
    this.plots = [
      plot({ title: "Writes", unit: "per second", format: short, series: [{ key: "transactions", name: "transactions" }, { key: "commits", name: "commits" }] }),
      plot({ title: "Mean batch", unit: "transactions per commit", format: short, scale: linear(niceCount), series: [{ key: "batch", name: "batch", format: (n) => n.toFixed(1) }] }),
      plot({ title: "Commit latency", unit: "from request to disk", format: seconds, scale: decades(1e-4, 1e-2), series: [{ key: "commitP50", name: "p50" }, { key: "commitP99", name: "p99" }] }),
      plot({ title: "Reads", unit: "statements per second", format: short, series: [{ key: "reads", name: "reads" }] }),
      plot({ title: "Write-ahead log", unit: "size", format: bytes, scale: linear(niceBytes), series: [{ key: "wal", name: "WAL" }] }),
      plot({ title: "Streams", unit: "open now", format: count, scale: linear(niceCount), series: [{ key: "streams", name: "open" }, { key: "inTransaction", name: "in a transaction" }] }),
    ];
    this.facts = h("dl", { class: "facts" });
    this.element = h("div", { class: "live" }, this.facts, h("div", { class: "plots" }, this.plots.map((p) => p.element)));
    app.monitor.on(() => this.draw());
  }

  /** draw shows the latest figures, if they can be seen. */
  draw() {
    if (this.element.offsetParent === null) return;
    const { monitor } = this.app;
    const now = monitor.clock();
    for (const plot of this.plots) plot.draw(monitor.figures, now);
    this.#tell(monitor);
  }

  /** focus does nothing: there is nothing to type. */
  focus() {}

  #tell({ status, lost }) {
    if (!status) return;
    const d = status.database;
    const up = (Date.parse(status.now) - Date.parse(status.started)) / 1000;
    const facts = [
      ["Server", lost === null ? `${version(status.version)}, up ${span(up)}` : "disconnected"],
      ["Database file", bytes(d.bytes)],
      ["Waiting for the writer", count(d.queue_depth)],
      ["Readers", `${count(d.busy_readers)} busy of ${count(d.readers)}`],
      ["Checkpoints", count(d.checkpoints)],
      ["Databases", `${count(status.databases.open)} open of ${count(status.databases.known)}`],
      ["Web sockets", count(status.streams.websockets)],
      ["Transactions so far", count(d.transactions)],
    ];
    put(this.facts, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }
}
