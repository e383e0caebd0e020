// JSON with numbers as they were written. JSON.parse would round SQLite's 64-bit
// integers and make 1.0 a 1.

/** Exact is a number that a JavaScript number cannot show as it was written. */
export class Exact {
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

const MARK = "\u0001exact";
const number = /-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;
const mark = (text) => (String(Number(text)) === text ? text : `{${JSON.stringify(MARK)}:"${text}"}`);

/** parse reads JSON; numbers that would change are Exact. */
export function parse(text) {
  let out = "";
  let at = 0;
  while (at < text.length) {
    const quote = text.indexOf('"', at);
    if (quote < 0) break;
    const end = endOfString(text, quote);
    out += text.slice(at, quote).replace(number, mark) + text.slice(quote, end);
    at = end;
  }
  out += text.slice(at).replace(number, mark);
  if (out.length === text.length) return JSON.parse(text);
  return JSON.parse(out, (key, value) => (value !== null && typeof value === "object" && MARK in value ? new Exact(value[MARK]) : value));
}

// endOfString returns the place behind the string that begins at a quote.
function endOfString(text, quote) {
  let at = quote + 1;
  for (;;) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let slashes = 0;
    while (text[at - 1 - slashes] === "\\") slashes++;
    at++;
    if (slashes % 2 === 0) return at;
  }
}

/** stringify writes JSON, Exact numbers as they are. */
export function stringify(value, indent = "", level = "") {
  const deeper = level + indent;
  const list = (open, items, close) => {
    if (items.length === 0) return open + close;
    if (indent === "") return open + items.join(",") + close;
    return `${open}\n${items.map((i) => deeper + i).join(",\n")}\n${level}${close}`;
  };
  if (value instanceof Exact) return value.text;
  if (Array.isArray(value)) return list("[", value.map((v) => stringify(v ?? null, indent, deeper)), "]");
  if (value !== null && typeof value === "object") {
    const fields = Object.entries(value).filter(([, v]) => v !== undefined);
    return list("{", fields.map(([k, v]) => `${JSON.stringify(k)}:${indent && " "}${stringify(v, indent, deeper)}`), "}");
  }
  return JSON.stringify(value);
}
