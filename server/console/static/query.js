// The query view: the editor above, the results below.

import { announce, button, h, isMac, put } from "./dom.js";
import { Editor } from "./editor.js";
import { Refused } from "./client.js";
import { copy, csv, json } from "./export.js";
import { count, plural, seconds } from "./format.js";
import { grid, rowsShown } from "./grid.js";
import { History } from "./history.js";
import { indexOfByte, lineAndColumn, verb } from "./sql.js";
import { openDialog } from "./dialog.js";
import * as store from "./store.js";

const ROWS_MAX = 1000; // of one result; the server is asked for no more

const WELCOME = `-- ${isMac ? "⌘" : "Ctrl"}+Enter runs the statement at the cursor.
SELECT sqlite_version() AS version, datetime() AS now;
`;

/** QueryView is the editor, its history and its results. */
export class QueryView {
  #running = null; // what stops the request under way
  #history = new History();

  constructor(app) {
    this.app = app;
    this.editor = new Editor({
      onrun: (everything) => this.run(everything),
      onchange: (text) => {
        this.#history.rest();
        store.set("text", text);
      },
      onhistory: (step) => this.#walk(step),
    });
    const kept = store.get("text");
    this.editor.load(kept ?? WELCOME);
    if (kept === null) this.editor.area.setSelectionRange(WELCOME.length - 1, WELCOME.length - 1);
    this.runButton = button("Run", () => this.run(false), { class: "primary", iconName: "run", id: "run" });
    this.stopButton = button("Stop", () => this.stop(), { class: "danger", hidden: true });
    this.results = h("div", { class: "results", role: "region", "aria-label": "Results", tabindex: "-1" });
    this.element = h("div", { class: "query" },
      h("div", { class: "toolbar", role: "toolbar", "aria-label": "Statement" },
        this.runButton, this.stopButton,
        button("Run all", () => this.run(true), { title: "Everything in the editor, as one transaction" }),
        button("Explain", () => this.explain(), { title: "How SQLite would run the statement" }),
        button("History", () => this.#list()),
        h("span", { class: "hint", id: "editor-hint" }, h("kbd", {}, isMac ? "⌘" : "Ctrl"), h("kbd", {}, "Enter"), " runs the statement at the cursor or the selection. Tab leaves the editor.")),
      this.editor.element,
      this.#splitter(),
      this.results);
    this.#empty();
  }

  /** focus puts the cursor into the editor. */
  focus() {
    this.editor.area.focus();
  }

  /** open replaces the text of the editor. */
  open(sql) {
    this.editor.value = sql;
    store.set("text", sql);
    this.focus();
  }

  /** run runs what is selected, or everything. */
  async run(everything) {
    const chosen = unwrapped(everything ? this.editor.all() : this.editor.chosen());
    if (chosen.length === 0) {
      announce("There is no statement to run");
      return;
    }
    const text = this.editor.value.slice(chosen[0].start, chosen.at(-1).end);
    this.#history.add(text, this.app.database);
    await this.#ask(chosen.map((s) => s.text), chosen, (answer) => this.#show(answer, chosen));
  }

  /** explain shows the plan of the statement at the cursor. */
  async explain() {
    const [one] = this.editor.chosen();
    if (!one) return;
    const prefix = verb(one.text) === "EXPLAIN" ? "" : "EXPLAIN QUERY PLAN ";
    const placed = [{ ...one, prefix: prefix.length }];
    await this.#ask([prefix + one.text], placed, (answer) => put(this.results, this.#plan(answer, one)));
  }

  /** stop gives up the statement that runs; the server interrupts it. */
  stop() {
    this.#running?.abort();
  }

  /** clear shows no results: they were another database's. */
  clear() {
    this.stop();
    this.#empty();
  }

  async #ask(texts, placed, show) {
    this.stop();
    const running = new AbortController();
    this.#running = running;
    this.runButton.hidden = true;
    this.stopButton.hidden = false;
    this.editor.mark(null);
    const waiting = setTimeout(() => put(this.results, h("p", { class: "note" }, "Running…")), 150);
    const began = performance.now();
    try {
      const answer = await this.app.client.run(texts.map((sql) => ({ sql })), { maxRows: ROWS_MAX, signal: running.signal });
      clearTimeout(waiting);
      show({ ...answer, took: (performance.now() - began) / 1000 });
      if (texts.some((sql) => /^(CREATE|DROP|ALTER)$/.test(verb(sql)))) this.app.schemaChanged();
    } catch (error) {
      clearTimeout(waiting);
      if (this.#running !== running) return; // another one has begun
      if (error.name === "AbortError") put(this.results, h("p", { class: "note" }, "Stopped."));
      else this.#failed(error, placed);
      this.app.failed(error);
    } finally {
      if (this.#running === running) {
        this.#running = null;
        // The button with the focus is about to go; the focus goes to the one in its place.
        const had = document.activeElement === this.stopButton;
        this.runButton.hidden = false;
        this.stopButton.hidden = true;
        if (had) this.runButton.focus();
      }
    }
  }

  #show(answer, chosen) {
    const { results } = answer;
    const note = results.length > 1 ? h("p", { class: "note" }, `${results.length} statements, one transaction · ${times(answer)}`) : null;
    put(this.results, note, results.map((r, i) => this.#result(r, answer, chosen[i], results.length > 1 ? i + 1 : 0)));
    this.results.scrollTop = 0;
    const rows = results.reduce((n, r) => n + r.rows.length, 0);
    const changed = results.reduce((n, r) => n + (r.rows_affected ?? 0), 0);
    announce(changed > 0 ? `${plural(changed, "row")} changed` : plural(rows, "row"));
  }

  #result(result, answer, statement, number) {
    const all = result.rows;
    const rows = all.slice(0, rowsShown(Math.min(all.length, ROWS_MAX), result.columns.length));
    const columns = result.columns.map((name, i) => ({ name, type: result.types?.[i] ?? "" }));
    const cut = rows.length < all.length || result.truncated;
    return h("section", { class: "result", "aria-label": number ? `Result ${number}` : "Result" },
      h("header", {},
        number ? h("span", { class: "ordinal" }, String(number)) : null,
        number ? h("code", { class: "statement" }, oneLine(statement.text)) : null,
        h("span", { class: "about" }, outcome(result, cut), number ? null : ` · ${times(answer)}`),
        number || !answer.position ? null : h("span", { class: "about position", title: `Position of the snapshot: ${answer.position}` }, `at ${shortPosition(answer.position)}`),
        columns.length === 0 ? null : h("span", { class: "buttons" },
          button("Copy CSV", () => this.#copy("CSV", csv(result.columns, rows), rows, cut), { class: "quiet" }),
          button("Copy JSON", () => this.#copy("JSON", json(result.columns, rows), rows, cut), { class: "quiet" }))),
      cut ? h("p", { class: "note capped" }, `Only the first ${count(rows.length)} rows are shown. Add a LIMIT or a condition to see others; the HTTP API returns all of them.`) : null,
      columns.length === 0 ? null : rows.length === 0 ? [grid({ columns, rows, label: "Result, no rows" }), h("p", { class: "note" }, "No rows.")]
        : grid({ columns, rows, label: number ? `Result ${number}` : "Result" }));
  }

  async #copy(format, text, rows, cut) {
    const done = await copy(text);
    announce(done ? `${plural(rows.length, "row")} copied as ${format}` : "The browser does not allow copying");
    this.app.toast(done ? `${plural(rows.length, "row")} copied as ${format}${cut ? ", those that are shown" : ""}` : "The browser does not allow copying");
  }

  #plan(answer, statement) {
    const [{ columns, rows }] = answer.results;
    if (columns[0] !== "id") return this.#result(answer.results[0], answer, statement, 0); // EXPLAIN's own table
    const under = (parent) => {
      const children = rows.filter((r) => String(r[1]) === parent);
      return children.length === 0 ? null : h("ul", {}, children.map((r) => h("li", {}, planLine(r[3]), under(String(r[0])))));
    };
    return h("section", { class: "result plan", "aria-label": "Query plan" },
      h("header", {}, h("span", { class: "about" }, "Query plan")),
      under("0") ?? h("p", { class: "note" }, "There is nothing to plan: the statement reads no table."));
  }

  #failed(error, placed) {
    const nth = error instanceof Refused && error.statement ? Math.min(error.statement, placed.length) - 1 : 0;
    const statement = placed[nth];
    let place = null;
    if (error instanceof Refused && typeof error.offset === "number" && error.offset >= 0) {
      const index = statement.start + Math.max(0, indexOfByte(" ".repeat(statement.prefix ?? 0) + statement.text, error.offset) - (statement.prefix ?? 0));
      this.editor.mark(index);
      const { line, column } = lineAndColumn(this.editor.value, index);
      place = [
        h("p", {}, button(`Line ${line}, column ${column}`, () => this.editor.goTo(index), { class: "link" })),
        h("pre", { class: "excerpt", "aria-hidden": "true" }, excerpt(this.editor.value, line, column)),
      ];
    }
    put(this.results, h("section", { class: "failure", role: "alert" },
      h("p", { class: "message" }, error.message),
      h("p", { class: "about" },
        [error.code, placed.length > 1 ? `statement ${nth + 1} of ${placed.length}; none of them had any effect` : ""].filter(Boolean).join(" · ")),
      place));
  }

  #empty() {
    put(this.results, h("div", { class: "blank" }, h("p", {}, "Results appear here.")));
  }

  #walk(step) {
    const text = this.#history.walk(step, this.editor.value);
    if (text === null) {
      announce(step > 0 ? "No earlier statement" : "No later statement");
      return;
    }
    // The walk is not an edit: the change would end it.
    this.editor.load(text);
    this.editor.area.setSelectionRange(text.length, text.length);
    store.set("text", text);
  }

  #list() {
    const list = h("ul", { class: "history" });
    const filter = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter the history", oninput: () => fill() });
    let dialog = null;
    const fill = () => {
      const found = this.#history.entries.filter((e) => e.sql.toLowerCase().includes(filter.value.toLowerCase()));
      put(list, found.map((e) => h("li", {}, h("button", { type: "button", onclick: () => {
        dialog.close();
        this.open(e.sql);
      } }, h("code", {}, oneLine(e.sql)), h("span", { class: "about" }, `${e.database} · ${new Date(e.at).toLocaleString()}`)))),
      found.length === 0 ? h("li", { class: "note" }, "Nothing yet.") : null);
    };
    fill();
    dialog = openDialog({
      title: "History", wide: true, content: [filter, list],
      actions: (close) => [button("Forget all", () => {
        this.#history.clear();
        fill();
      }), button("Close", close)],
    });
  }

  #splitter() {
    const set = (height) => {
      const max = this.element.clientHeight - 120;
      const to = Math.round(Math.min(Math.max(height, 72), Math.max(max, 72)));
      this.element.style.setProperty("--editor-height", `${to}px`);
      bar.setAttribute("aria-valuenow", String(to));
      store.set("editorHeight", String(to));
    };
    const now = () => this.editor.element.getBoundingClientRect().height;
    const bar = h("div", {
      class: "splitter", role: "separator", tabindex: "0", "aria-orientation": "horizontal", "aria-label": "Height of the editor", "aria-valuenow": "220", "aria-valuemin": "72", "aria-valuemax": "2000",
      onkeydown: (event) => {
        const step = { ArrowUp: -24, ArrowDown: 24 }[event.key];
        if (!step) return;
        event.preventDefault();
        set(now() + step);
      },
      onpointerdown: (event) => {
        const from = event.clientY - now();
        bar.setPointerCapture(event.pointerId);
        const move = (e) => set(e.clientY - from);
        bar.addEventListener("pointermove", move);
        bar.addEventListener("lostpointercapture", () => bar.removeEventListener("pointermove", move), { once: true });
      },
    });
    const kept = Number(store.get("editorHeight"));
    if (kept > 0) requestAnimationFrame(() => set(kept));
    return bar;
  }
}

// What is run together is one transaction anyway; a BEGIN and COMMIT around it say so twice.
function unwrapped(chosen) {
  if (chosen.length < 3) return chosen;
  const wrapped = verb(chosen[0].text) === "BEGIN" && /^(COMMIT|END)$/.test(verb(chosen.at(-1).text));
  return wrapped ? chosen.slice(1, -1) : chosen;
}

function outcome(result, cut) {
  const parts = [];
  if (result.columns.length > 0) parts.push(`${cut ? "first " : ""}${plural(result.rows.length, "row")}`);
  if (result.columns.length === 0 || result.rows_affected > 0) parts.push(`${plural(result.rows_affected ?? 0, "row")} changed`);
  if (result.rows_affected > 0 && result.last_insert_rowid !== null && result.last_insert_rowid !== undefined) parts.push(`last rowid ${result.last_insert_rowid}`);
  return parts.join(" · ");
}

// A position is the history's random name and a number; the number is what changes.
const shortPosition = (position) => position.replace(/^(.{6}).*-0*(?=.)/, "$1…");

const times = (answer) => `${seconds(answer.time_ms / 1000)} in the server, ${seconds(answer.took)} in all`;

const oneLine = (sql) => {
  const line = sql.replace(/\s+/g, " ");
  return line.length > 160 ? `${line.slice(0, 160)}…` : line;
};

// A scan reads everything, a search does not; that is what one looks for in a plan.
function planLine(detail) {
  const m = /^(SCAN|SEARCH|USE TEMP B-TREE)(.*)$/s.exec(detail);
  return m ? [h("b", { class: m[1] === "SEARCH" ? "good" : "dear" }, m[1]), m[2]] : detail;
}

function excerpt(text, line, column) {
  const source = text.split("\n")[line - 1];
  const from = Math.max(0, column - 60);
  const part = source.slice(from, from + 120);
  return `${part}\n${part.slice(0, column - 1 - from).replace(/[^\t]/g, " ")}^`;
}
