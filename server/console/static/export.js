// Results as text to take along.

import { stringify } from "./json.js";
import { blobBytes, hex, isBlob } from "./format.js";

/**
 * csv writes rows as RFC 4180 has it: lines end in CRLF, a field is quoted when it
 * must be. NULL is an empty field and empty text a quoted one, so that they differ;
 * a blob is written as hexadecimal digits.
 */
export function csv(columns, rows) {
  return [columns, ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

function field(value) {
  if (value === null) return "";
  const text = isBlob(value) ? hex(blobBytes(value)) : String(value);
  return text === "" || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * json writes rows as objects, a line each; blobs are {"base64": …}, as the API has
 * them. Of columns with the same name the later ones get a number.
 */
export function json(columns, rows) {
  const names = unique(columns);
  const lines = rows.map((row) => `  {${row.map((v, i) => `${JSON.stringify(names[i])}: ${stringify(v)}`).join(", ")}}`);
  return lines.length === 0 ? "[]\n" : `[\n${lines.join(",\n")}\n]\n`;
}

// A name that is there twice gets a number, but none that makes it another column's.
function unique(columns) {
  const taken = new Set(columns);
  const used = new Set();
  return columns.map((name) => {
    let one = name;
    for (let n = 2; used.has(one) || (one !== name && taken.has(one)); n++) one = `${name}_${n}`;
    used.add(one);
    return one;
  });
}

/** copy puts a text on the clipboard and says whether that worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // the clipboard API exists on secure origins only
  }
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  const back = document.activeElement;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  back?.focus();
  return done;
}

/** download offers bytes or text as a file. */
export function download(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
