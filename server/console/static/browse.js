// The data view: what is in the schema on the left, one table's rows or structure on
// the right.

import { announce, button, h, icon, put, rove, typing } from "./dom.js";
import { OPERATORS, counting, key, page } from "./paging.js";
import { count, plural } from "./format.js";
import { grid } from "./grid.js";
import { highlighted } from "./editor.js";
import { quote } from "./sql.js";

const SIZES = [50, 100, 250, 500];
const COUNTED_MAX = 100_000; // counting more rows than this takes longer than it is worth

/** BrowseView is the list of tables and the pane of the chosen one. */
export class BrowseView {
  #schema = null;
  #settle = null;

  constructor(app) {
    this.app = app;
    this.filter = h("input", { type: "search", placeholder: "Filter tables", "aria-label": "Filter tables", oninput: () => this.#list() });
    this.list = h("nav", { "aria-label": "Tables and views" });
    this.#settle = rove(this.list, "a", { vertical: true });
    this.pane = h("div", { class: "pane" });
    this.element = h("div", { class: "browse" },
      h("aside", { class: "sidebar" },
        h("div", { class: "toolbar" }, this.filter, button("Read the schema again", () => this.load(true), { class: "quiet", iconOnly: true, iconName: "refresh" })),
        this.list),
      this.pane);
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  /** load reads the schema, if it is not known or should be read again. */
  async load(again = false) {
    if (this.#schema && !again) return;
    try {
      this.#schema = await this.app.client.schema();
    } catch (error) {
      put(this.list, h("p", { class: "error", role: "alert" }, error.message));
      this.app.failed(error);
      return;
    }
    this.#list();
    if (again) this.show(this.table?.name ?? "", this.part);
  }

  /** forget drops the schema: another database, or it has changed. */
  forget() {
    this.#schema = null;
    this.table = null;
    put(this.pane);
    put(this.list);
  }

  /** show opens a table by name, on its rows or its structure. */
  async show(name, part = "rows") {
    await this.load();
    if (!this.#schema) return;
    const table = this.#schema.tables.find((t) => t.name === name);
    this.part = part === "structure" ? "structure" : "rows";
    const same = table && this.table === table;
    this.table = table ?? null;
    this.#list();
    if (!table) {
      put(this.pane, h("div", { class: "blank" }, h("p", {}, name ? `There is no table called ${name}.` : this.#schema.tables.length > 0 ? "Choose a table." : "This database has no tables yet. CREATE TABLE makes one.")));
      return;
    }
    if (!same || !this.rows) this.rows = new Rows(this.app, table);
    this.#draw();
  }

  /** focus goes to the list of tables. */
  focus() {
    (this.list.querySelector("[tabindex='0']") ?? this.filter).focus();
  }

  #list() {
    if (!this.#schema) return;
    const wanted = this.filter.value.toLowerCase();
    const groups = [
      ["Tables", (t) => t.type === "table" && !t.name.startsWith("sqlite_")],
      ["Views", (t) => t.type === "view"],
      ["Virtual tables", (t) => t.type === "virtual"],
      ["Inner tables", (t) => t.type === "shadow" || (t.type === "table" && t.name.startsWith("sqlite_"))],
    ];
    const had = this.list.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    put(this.list, groups.map(([title, belongs]) => {
      const tables = this.#schema.tables.filter((t) => belongs(t) && t.name.toLowerCase().includes(wanted));
      if (tables.length === 0) return null;
      return h("section", {}, h("h3", {}, title, h("span", { class: "about" }, count(tables.length))),
        h("ul", {}, tables.map((t) => h("li", {}, h("a", {
          href: this.app.address("data", t.name, this.part === "structure" ? "structure" : ""), "aria-current": t === this.table ? "true" : null, "data-name": t.name, title: t.name,
        }, icon(t.type === "view" ? "view" : "table"), h("span", {}, t.name))))));
    }), this.#schema.tables.length === 0 ? h("p", { class: "note" }, "No tables yet.") : null);
    this.#settle();
    if (had !== null) [...this.list.querySelectorAll("a")].find((a) => a.dataset.name === had)?.focus();
  }

  #draw() {
    const { table } = this;
    const tab = (part, title) => h("a", { class: "part", href: this.app.address("data", table.name, part === "rows" ? "" : part), "aria-current": this.part === part ? "page" : null }, title);
    put(this.pane,
      h("header", { class: "toolbar" },
        h("h2", {}, table.name), h("span", { class: "about" }, kind(table)),
        h("nav", { class: "parts", "aria-label": "Of this table" }, tab("rows", "Rows"), tab("structure", "Structure")),
        button("Query", () => this.app.openQuery(`SELECT * FROM ${quote(table.name)} LIMIT 100;`), { class: "quiet", title: "Open a SELECT in the editor" })),
      this.part === "rows" ? this.rows.element : structure(table));
    if (this.part === "rows") this.rows.show();
  }

  #key(event) {
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey || !this.rows || this.part !== "rows") return;
    const act = { "/": () => this.rows.value.focus(), "[": () => this.rows.turn("previous"), "]": () => this.rows.turn("next") }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

const kind = (t) => [t.type, t.without_rowid ? "without rowid" : "", t.strict ? "strict" : ""].filter(Boolean).join(", ");

// Rows is the paged, sorted and filtered content of one table.
class Rows {
  #size = SIZES[1];
  #sort = null;
  #from = null; // as paging.page wants it
  #first = 1; // number of the first row shown; null if it is not known
  #page = null; // what is shown: {rows, sorted, keys, more, before}
  #total = null;
  #asked = 0; // the latest request; older answers are dropped

  constructor(app, table) {
    this.app = app;
    this.table = table;
    this.column = h("select", { "aria-label": "Column", onchange: () => this.#refilter() },
      h("option", { value: "" }, "any column"), table.columns.filter((c) => !c.hidden).map((c) => h("option", { value: c.name }, c.name)));
    this.operator = h("select", { "aria-label": "Comparison", onchange: () => this.#refilter() }, OPERATORS.map((o) => h("option", { value: o }, o)));
    this.value = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter value", oninput: () => this.#soon() });
    this.where = h("span", { class: "about", role: "status" });
    const turn = (name, label) => button(label, () => this.turn(name), { class: "quiet", iconOnly: true, iconName: name });
    this.turns = { first: turn("first", "First page"), previous: turn("previous", "Previous page"), next: turn("next", "Next page"), last: turn("last", "Last page") };
    this.body = h("div", { class: "rows" });
    this.element = h("div", { class: "table" },
      h("div", { class: "toolbar" },
        h("form", { class: "filter", role: "search", onsubmit: (event) => {
          event.preventDefault();
          this.#refilter();
        } }, this.column, this.operator, this.value),
        h("span", { class: "grow" }),
        this.where,
        h("span", { class: "pager", role: "group", "aria-label": "Pages" }, Object.values(this.turns)),
        h("select", { "aria-label": "Rows on a page", onchange: (event) => {
          this.#size = Number(event.target.value);
          this.#start();
        } }, SIZES.map((n) => h("option", { value: n, selected: n === this.#size }, `${n} rows`))),
        button("Read again", () => {
          this.#total = null;
          this.show();
        }, { class: "quiet", iconOnly: true, iconName: "refresh" })),
      this.body);
  }

  /** show reads the current page and draws it. */
  async show() {
    const asked = ++this.#asked;
    const request = page(this.table, { sort: this.#sort, filter: this.#filter(), from: this.#from, size: this.#size });
    let result;
    try {
      result = await this.app.client.one(request.sql, request.params, { maxRows: this.#size + 1 });
    } catch (error) {
      if (asked === this.#asked) put(this.body, h("p", { class: "error", role: "alert" }, error.message));
      this.app.failed(error);
      return;
    }
    if (asked !== this.#asked) return;
    this.#take(request, result);
    this.#draw(result, request.shown || result.columns.length);
    if (this.#total === null) this.#count(asked);
  }

  /** turn goes to another page: first, previous, next or last. */
  turn(to) {
    const p = this.#page;
    if (!p || this.turns[to].disabled) return;
    const keyed = key(this.table).length > 0;
    const known = this.#first !== null;
    if (to === "first") [this.#from, this.#first] = [null, 1];
    else if (!keyed) {
      const last = Math.floor(Math.max(0, this.#total - 1) / this.#size) * this.#size;
      const offset = { previous: Math.max(0, this.#first - 1 - this.#size), next: this.#first - 1 + this.#size, last }[to];
      [this.#from, this.#first] = [offset > 0 ? { offset } : null, offset + 1];
    } else if (to === "next") [this.#from, this.#first] = [{ values: p.ends[1] }, known ? this.#first + p.count : null];
    else if (to === "previous") [this.#from, this.#first] = [{ values: p.ends[0], back: true }, known ? Math.max(1, this.#first - this.#size) : null];
    else [this.#from, this.#first] = [{ last: true }, null];
    this.show().then(() => announce(this.where.textContent));
  }

  #take(request, result) {
    const more = result.rows.length > this.#size;
    let rows = result.rows.slice(0, this.#size);
    if (request.back) rows = rows.reverse();
    const end = (row) => row?.slice(request.shown) ?? [];
    this.#page = {
      rows, count: rows.length, ends: [end(rows[0]), end(rows.at(-1))],
      after: request.back ? !this.#from.last : more,
      before: request.back ? more : this.#from !== null,
    };
    // Reading back may find the beginning before a whole page is full.
    if (request.back && !more) this.#first = 1;
    if (this.#from?.last && this.#total !== null && this.#total <= COUNTED_MAX) this.#first = this.#total - rows.length + 1;
  }

  #draw(result, shown) {
    const types = new Map(this.table.columns.map((c) => [c.name, c.type]));
    const columns = result.columns.slice(0, shown).map((name) => ({ name, type: types.get(name) ?? "" }));
    const rows = this.#page.rows.map((row) => row.slice(0, shown));
    const focused = this.body.contains(document.activeElement) ? document.activeElement.dataset.column ?? "" : null;
    put(this.body,
      grid({ columns, rows, label: `Rows of ${this.table.name}`, first: this.#first ?? 1, sort: {
        column: this.#sort?.column, descending: this.#sort?.descending, onsort: (name) => this.#resort(name),
      } }),
      rows.length === 0 ? h("p", { class: "note" }, this.#filter() ? "No row matches." : "No rows.") : null);
    this.body.firstChild.scrollTop = 0;
    if (focused !== null) {
      const header = [...this.body.querySelectorAll("button.head")].find((b) => b.dataset.column === focused);
      (header ?? this.body.querySelector("td[tabindex='0']"))?.focus();
    }
    this.#place();
  }

  #place() {
    const p = this.#page;
    this.turns.first.disabled = this.turns.previous.disabled = !p.before;
    this.turns.next.disabled = !p.after;
    // Without a key the last page is found by counting.
    this.turns.last.disabled = !p.after || (key(this.table).length === 0 && (this.#total === null || this.#total > COUNTED_MAX));
    const total = this.#total === null ? "" : this.#total > COUNTED_MAX ? ` of more than ${count(COUNTED_MAX)}` : ` of ${count(this.#total)}`;
    if (p.count === 0) this.where.textContent = "no rows";
    else if (this.#first === null) this.where.textContent = `${p.after ? "" : "the last "}${plural(p.count, "row")}${total}`;
    else this.where.textContent = `${count(this.#first)}–${count(this.#first + p.count - 1)}${total}`;
  }

  async #count(asked) {
    const { sql, params } = counting(this.table, this.#filter(), COUNTED_MAX);
    try {
      const result = await this.app.client.one(sql, params);
      if (asked !== this.#asked) return;
      this.#total = Number(result.rows[0][0]);
      this.#place();
    } catch {
      // The rows are shown; how many there are is not worth an error.
    }
  }

  #filter() {
    const filter = { column: this.column.value, operator: this.operator.value, value: this.value.value };
    return filter.value === "" && !filter.operator.startsWith("is ") ? null : filter;
  }

  #soon() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.#refilter(), 250);
  }

  #refilter() {
    clearTimeout(this.soon);
    this.value.hidden = this.operator.value.startsWith("is ");
    this.#total = null;
    this.#start();
  }

  // A column is sorted up, down, and not at all.
  #resort(name) {
    if (this.#sort?.column !== name) this.#sort = { column: name, descending: false };
    else this.#sort = this.#sort.descending ? null : { column: name, descending: true };
    this.#start();
  }

  #start() {
    this.#from = null;
    this.#first = 1;
    this.show();
  }
}

// structure shows what a table is made of.
function structure(table) {
  const list = (title, head, rows) => (rows.length === 0 ? null : h("section", {},
    h("h3", {}, title),
    h("div", { class: "gridframe" }, h("table", { class: "grid plain" },
      h("thead", {}, h("tr", {}, head.map((c) => h("th", { scope: "col" }, h("span", { class: "head" }, c))))),
      h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((c) => h("td", {}, c)))))))));
  const names = (columns) => columns.map((c) => (c === "" ? "(expression)" : c)).join(", ");
  return h("div", { class: "structure" },
    table.error ? h("p", { class: "error", role: "alert" }, table.error) : null,
    list("Columns", ["Name", "Type", "Key", "Not null", "Default", ""], table.columns.map((c) => [
      c.name, h("span", { class: "type" }, c.type), c.primary_key > 0 ? (table.columns.filter((o) => o.primary_key > 0).length > 1 ? `primary (${c.primary_key})` : "primary") : "",
      c.not_null ? "not null" : "", c.default === null ? "" : h("code", {}, c.default), c.generated ? "generated" : c.hidden ? "hidden" : "",
    ])),
    list("Indexes", ["Name", "Columns", ""], table.indexes.map((i) => [
      i.name, names(i.columns), [i.unique ? "unique" : "", i.partial ? "partial" : "", i.sql === "" ? "made by a constraint" : ""].filter(Boolean).join(", "),
    ])),
    list("Foreign keys", ["Columns", "Refer to", "On update", "On delete"], table.foreign_keys.map((f) => [
      names(f.columns), `${f.table}${f.to.length > 0 ? ` (${f.to.join(", ")})` : ""}`, f.on_update.toLowerCase(), f.on_delete.toLowerCase(),
    ])),
    h("section", {}, h("h3", {}, "SQL"), table.sql ? highlighted(`${table.sql};`) : h("p", { class: "note" }, "SQLite keeps none for this table."),
      table.indexes.filter((i) => i.sql !== "").map((i) => highlighted(`${i.sql};`))),
    table.triggers.length === 0 ? null : h("section", {}, h("h3", {}, "Triggers"), table.triggers.map((t) => highlighted(`${t.sql};`))));
}
