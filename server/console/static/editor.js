// The SQL editor: a text area with coloured text beneath it. The text area is the
// truth; the colours, the line numbers and the mark of an error are drawn after it.

import { control, h, put } from "./dom.js";
import { statementAt, statements, tokens } from "./sql.js";

const COLOURED_MAX = 100_000; // characters; a longer text stays plain, typing stays quick

/** Editor is the element and what can be done with its text. */
export class Editor {
  #ink = h("pre", { class: "ink", "aria-hidden": "true" });
  #gutter = h("div", { class: "gutter", "aria-hidden": "true" });
  #wrong = null; // {start, end} of what the server pointed at
  #frame = 0;

  constructor({ onrun, onchange, onhistory }) {
    this.area = h("textarea", {
      class: "code", spellcheck: "false", autocomplete: "off", autocapitalize: "off", autocorrect: "off", wrap: "off",
      "aria-label": "SQL", "aria-describedby": "editor-hint", placeholder: "SELECT …",
      oninput: () => {
        this.#wrong = null;
        this.#draw();
        onchange(this.value);
      },
      onscroll: () => this.#scroll(),
      onkeydown: (event) => this.#key(event, onrun, onhistory),
    });
    document.addEventListener("selectionchange", () => {
      if (document.activeElement === this.area) this.#draw();
    });
    this.element = h("div", { class: "editor" }, this.#gutter, h("div", { class: "paper" }, this.#ink, this.area));
    this.#draw();
  }

  get value() {
    return this.area.value;
  }

  /** value replaces the text; undo brings the old one back where the browser can. */
  set value(text) {
    if (text === this.area.value) return;
    const had = document.activeElement;
    this.area.focus();
    this.area.select();
    if (!document.execCommand("insertText", false, text)) this.area.value = text;
    if (had && had !== this.area) had.focus();
    this.#wrong = null;
    this.#draw();
  }

  /** load sets the text without a step of undo. */
  load(text) {
    this.area.value = text;
    this.#draw();
  }

  /** chosen returns the statements to run: of the selection, or the one at the cursor. */
  chosen() {
    const { selectionStart: start, selectionEnd: end } = this.area;
    if (start !== end) return statements(this.value.slice(start, end)).map((s) => ({ ...s, start: s.start + start, end: s.end + start }));
    const one = statementAt(this.value, start);
    return one ? [one] : [];
  }

  /** all returns every statement of the text. */
  all() {
    return statements(this.value);
  }

  /** mark points at what was wrong, from an index to the end of the token there. */
  mark(index) {
    this.#wrong = null;
    if (index !== null) {
      for (const t of tokens(this.value)) {
        if (t.end > index && t.type !== "blank") {
          this.#wrong = { start: t.start, end: t.end };
          break;
        }
      }
      // An error at the end of the text is told about its last character.
      this.#wrong ??= { start: Math.max(0, this.value.trimEnd().length - 1), end: this.value.trimEnd().length };
    }
    this.#draw();
  }

  /** goTo puts the cursor at an index and shows it. */
  goTo(index) {
    this.area.focus();
    this.area.setSelectionRange(index, index);
    const line = this.value.slice(0, index).split("\n").length - 1;
    const height = parseFloat(getComputedStyle(this.area).lineHeight);
    if (line * height < this.area.scrollTop || (line + 2) * height > this.area.scrollTop + this.area.clientHeight) {
      this.area.scrollTop = Math.max(0, (line - 2) * height);
    }
    this.#draw();
  }

  #key(event, onrun, onhistory) {
    if (event.isComposing) return;
    if (event.key === "Enter" && control(event)) {
      event.preventDefault();
      onrun(event.shiftKey);
    } else if (event.key === "Enter" && !event.altKey && !event.shiftKey) {
      this.#newLine(event);
    } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      onhistory(event.key === "ArrowUp" ? 1 : -1);
    } else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && this.value === "" && !event.shiftKey) {
      event.preventDefault();
      onhistory(event.key === "ArrowUp" ? 1 : -1);
    }
  }

  // A new line begins below the one before. Tab is left alone: it leaves the editor.
  #newLine(event) {
    const line = this.value.slice(0, this.area.selectionStart).split("\n").at(-1);
    const indent = /^[ \t]+/.exec(line)?.[0];
    if (!indent) return;
    event.preventDefault();
    document.execCommand("insertText", false, `\n${indent}`);
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      put(this.#ink, this.value.length > COLOURED_MAX ? this.value : this.#coloured(), "\n");
      this.#number();
      this.#scroll();
    });
  }

  #coloured() {
    const spans = [];
    let plain = "";
    for (const t of tokens(this.value)) {
      const wrong = this.#wrong && t.start < this.#wrong.end && t.end > this.#wrong.start;
      if (!wrong && (t.type === "blank" || t.type === "word" || t.type === "sign")) {
        plain += t.text;
        continue;
      }
      spans.push(plain, h("span", { class: wrong ? `t-${t.type} wrong` : `t-${t.type}` }, t.text));
      plain = "";
    }
    spans.push(plain);
    return spans;
  }

  // The numbers of the lines that would run are marked.
  #number() {
    const lines = this.value.split("\n");
    const chosen = this.value.length > COLOURED_MAX ? [] : this.chosen();
    const numbers = [];
    let start = 0;
    lines.forEach((line, i) => {
      const end = start + line.length;
      const runs = chosen.some((s) => s.start <= end && s.end >= start);
      numbers.push(h("span", { class: runs ? "number runs" : "number" }, String(i + 1)));
      start = end + 1;
    });
    put(this.#gutter, numbers);
  }

  #scroll() {
    this.#ink.scrollTop = this.area.scrollTop;
    this.#ink.scrollLeft = this.area.scrollLeft;
    this.#gutter.scrollTop = this.area.scrollTop;
  }
}

/** highlighted returns a text of SQL in colour, not to be edited. */
export function highlighted(sql) {
  const text = sql.length > COLOURED_MAX ? [sql] : Array.from(tokens(sql), (t) =>
    (t.type === "blank" || t.type === "word" || t.type === "sign" ? t.text : h("span", { class: `t-${t.type}` }, t.text)));
  return h("pre", { class: "sql", tabindex: "0", role: "group", "aria-label": "SQL" }, text);
}
