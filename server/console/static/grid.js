// A result as a table. One cell is in the order of the Tab key; the arrow keys move
// between cells, Enter shows all of one.

import { announce, button, control, h, icon } from "./dom.js";
import { blobBytes, blobSize, bytes, hex, hexdump, isBlob, plural, storage } from "./format.js";
import { copy, download } from "./export.js";
import { openDialog } from "./dialog.js";

const TEXT_MAX = 60; // characters shown in a cell
const BLOB_MAX = 12; // bytes shown in a cell
const CELLS_MAX = 50_000; // a page with more of them is slow to lay out
const DUMP_MAX = 64 * 1024; // bytes of a blob that the dialog shows

/** rowsShown says how many rows of so many columns are put on the page. */
export const rowsShown = (rows, columns) => Math.min(rows, Math.max(50, Math.floor(CELLS_MAX / Math.max(1, columns))));

/**
 * grid makes the table. columns are {name, type}; sort, if given, makes the headers
 * buttons: {column, descending, onsort(name)}; first is the number of the first row.
 */
export function grid({ columns, rows, label, sort = null, first = 1 }) {
  const table = h("table", { class: "grid", role: "grid", "aria-label": label, "aria-rowcount": String(rows.length + 1), "aria-colcount": String(columns.length) },
    h("thead", {}, h("tr", {},
      h("th", { class: "rownumber", scope: "col" }, h("span", { class: "unseen" }, "Row")),
      columns.map((c, i) => header(c, rows, i, sort)))),
    h("tbody", {}, rows.map((row, y) => h("tr", {},
      h("th", { class: "rownumber", scope: "row" }, String(first + y)),
      row.map((value, x) => cell(value, columns[x], x === 0 && y === 0))))));
  navigate(table, columns, rows);
  return h("div", { class: "gridframe" }, table);
}

function header(column, rows, index, sort) {
  const type = column.type || inferred(rows, index);
  const text = [h("span", { class: "name" }, column.name), type ? h("span", { class: "type" }, type) : null];
  const numeric = /INT|REAL|FLOA|DOUB|NUM|DEC/i.test(type);
  const classes = numeric ? "numeric" : "";
  if (!sort) return h("th", { scope: "col", class: classes }, h("span", { class: "head" }, text));
  const sorted = sort.column === column.name;
  const direction = sorted ? (sort.descending ? "descending" : "ascending") : "none";
  return h("th", { scope: "col", class: classes, "aria-sort": direction },
    h("button", { type: "button", class: "head", title: `Sort by ${column.name}`, "data-column": column.name, onclick: () => sort.onsort(column.name) },
      text, sorted ? icon(sort.descending ? "down" : "up") : null));
}

// An expression has no declared type; what its values are is the next best.
function inferred(rows, index) {
  const found = new Set();
  for (const row of rows) {
    if (row[index] !== null) found.add(storage(row[index]));
    if (found.size > 1) return "";
  }
  return [...found].join("");
}

function cell(value, column, active) {
  const [kind, content, more] = shown(value);
  return h("td", { class: kind, tabindex: active ? "0" : "-1", "aria-label": spoken(kind, value), title: more ? `${column.name}: press Enter to see all of it` : null, "data-more": more },
    h("span", { class: "clip" }, content), more ? button("…", null, { class: "more", tabindex: "-1", "aria-label": "Show all of it" }) : null);
}

function shown(value) {
  if (value === null) return ["null", "NULL", false];
  if (isBlob(value)) {
    const size = blobSize(value);
    const start = hex(blobBytes(value, BLOB_MAX));
    return ["blob", [h("span", { class: "size" }, bytes(size)), size > BLOB_MAX ? `x'${start}…'` : `x'${start}'`], size > BLOB_MAX];
  }
  if (typeof value === "string") {
    if (value === "") return ["text empty", "''", false];
    // Line ends and tabs are made visible, or a row would not be one line.
    const clipped = value.length > TEXT_MAX ? value.slice(0, TEXT_MAX) : value;
    const line = clipped.replace(/\r\n|\r|\n/g, "↵").replace(/\t/g, "⇥");
    return ["text", line, value.length > TEXT_MAX || line !== clipped];
  }
  return ["number", String(value), false];
}

function spoken(kind, value) {
  if (kind === "null") return "NULL";
  if (kind === "text empty") return "empty text";
  return kind === "blob" ? `blob of ${blobSize(value)} bytes` : null;
}

function navigate(table, columns, rows) {
  const at = (td) => [td.parentElement.rowIndex - 1, td.cellIndex - 1];
  const go = (y, x) => {
    const row = table.tBodies[0].rows[Math.min(Math.max(y, 0), rows.length - 1)];
    const td = row?.cells[Math.min(Math.max(x, 0), columns.length - 1) + 1];
    if (!td) return;
    table.querySelector("td[tabindex='0']")?.setAttribute("tabindex", "-1");
    td.tabIndex = 0;
    td.focus();
  };
  const show = (td) => {
    const [y, x] = at(td);
    showValue(columns[x], rows[y][x]);
  };
  table.addEventListener("keydown", (event) => {
    const td = event.target.closest("td");
    if (!td || event.altKey) return;
    const [y, x] = at(td);
    if (event.key === "c" && control(event) && String(getSelection()) === "") {
      copy(plain(rows[y][x])).then((done) => announce(done ? "Copied" : "The browser does not allow copying"));
    } else if (event.key === "Enter") {
      show(td);
    } else {
      const to = {
        ArrowUp: [y - 1, x], ArrowDown: [y + 1, x], ArrowLeft: [y, x - 1], ArrowRight: [y, x + 1],
        PageUp: [y - 15, x], PageDown: [y + 15, x],
        Home: [control(event) ? 0 : y, 0], End: [control(event) ? rows.length : y, columns.length],
      }[event.key];
      if (!to) return;
      go(...to);
    }
    event.preventDefault();
  });
  table.addEventListener("dblclick", (event) => {
    const td = event.target.closest("td");
    if (td) show(td);
  });
  table.addEventListener("click", (event) => {
    const td = event.target.closest("td");
    if (!td) return;
    if (event.target.closest(".more")) show(td);
    else go(...at(td));
  });
}

// plain is a value as text for the clipboard.
const plain = (value) => (value === null ? "" : isBlob(value) ? hex(blobBytes(value)) : String(value));

// showValue shows all of one value in a dialog.
function showValue(column, value) {
  const kind = storage(value);
  const about = isBlob(value) ? `blob of ${bytes(blobSize(value))}` : kind === "text" ? `text of ${plural(value.length, "character")}` : kind;
  let content = value === null ? "NULL" : String(value);
  if (isBlob(value)) {
    content = hexdump(blobBytes(value, DUMP_MAX));
    if (blobSize(value) > DUMP_MAX) content += `\n… the first ${bytes(DUMP_MAX)} are shown`;
  }
  openDialog({
    title: column.name, about, wide: true,
    content: h("pre", { class: "value", tabindex: "0", role: "group", "aria-label": "Value" }, content),
    actions: (close) => [
      value === null ? null : button("Copy", () => copy(plain(value)).then((done) => announce(done ? "Copied" : "The browser does not allow copying"))),
      isBlob(value) ? button("Download", () => download(column.name.replace(/[^\p{L}\p{N}_-]+/gu, "_") || "blob", blobBytes(value), "application/octet-stream")) : null,
      button("Close", close, { class: "primary" }),
    ],
  });
}
