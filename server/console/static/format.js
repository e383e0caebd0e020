// Numbers and times for people: digits in groups, units apart, and never broken over lines.

import { Exact } from "./json.js";

const NARROW = "\u202f";
const SPACE = "\u00a0"; // before a unit

/** count writes a whole number with its digits in groups. */
export const count = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, NARROW);

/** short writes a number with three digits and a suffix: 1.23 k, 45.6 M. */
export function short(n) {
  if (n < 1000) return trim(n);
  const [unit, size] = n < 1e6 ? ["k", 1e3] : n < 1e9 ? ["M", 1e6] : ["G", 1e9];
  return `${trim(n / size)}${SPACE}${unit}`;
}

/** bytes writes a size in powers of 1024. */
export function bytes(n) {
  if (n < 1024) return `${trim(n)}${SPACE}B`;
  const power = Math.min(Math.floor(Math.log2(n) / 10), 4);
  return `${trim(n / 1024 ** power)}${SPACE}${["", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

/** seconds writes a duration with the unit that suits it. */
export function seconds(s) {
  if (s === 0) return `0${SPACE}ms`;
  if (s < 1e-3) return `${trim(s * 1e6)}${SPACE}µs`;
  if (s < 1) return `${trim(s * 1e3)}${SPACE}ms`;
  return `${trim(s)}${SPACE}s`;
}

/** span writes how long something has lasted, roughly. */
export function span(s) {
  if (s < 60) return `${Math.floor(s)}${SPACE}s`;
  const parts = [[86400, "d"], [3600, "h"], [60, "min"]];
  const from = parts.findIndex(([size]) => s >= size);
  return parts.slice(from, from + 2).map(([size, unit], i) => {
    const rest = i === 0 ? s : s % parts[from][0];
    return `${Math.floor(rest / size)}${SPACE}${unit}`;
  }).join(" ");
}

// trim writes three significant digits and no zeros at the end.
function trim(n) {
  const digits = n >= 100 ? 0 : n >= 10 ? 1 : 2;
  return String(Number(n.toFixed(digits)));
}

/** version shortens that of a build between releases to its commit. */
export const version = (text) => text.replace(/^nearlite /, "").replace(/^v0\.0\.0-\d{14}-(\w{7})\w*/, "build $1");

/** plural writes a number and its noun. */
export const plural = (n, noun, many = `${noun}s`) => `${count(n)} ${n === 1 ? noun : many}`;

/** isBlob says whether a value of an answer is a blob. */
export const isBlob = (value) => value !== null && typeof value === "object" && typeof value.base64 === "string";

/** blobSize returns the size of a blob in bytes without decoding it. */
export const blobSize = ({ base64 }) => Math.floor((base64.replace(/=+$/, "").length * 3) / 4);

/** blobBytes decodes the first bytes of a blob. */
export function blobBytes({ base64 }, max = Infinity) {
  const text = max === Infinity ? base64 : base64.slice(0, Math.ceil(max / 3) * 4);
  const binary = atob(text);
  return Uint8Array.from(binary.slice(0, max), (c) => c.charCodeAt(0));
}

/** hex writes bytes as hexadecimal digits. */
export const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

/** hexdump writes bytes as offset, digits and characters, sixteen a line. */
export function hexdump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const line = bytes.subarray(at, at + 16);
    const digits = Array.from(line, (b) => b.toString(16).padStart(2, "0")).join(" ");
    const text = Array.from(line, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : "·")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${digits.padEnd(47)}  ${text}`);
  }
  return lines.join("\n");
}

/** storage names SQLite's storage class of a value. */
export function storage(value) {
  if (value === null) return "null";
  if (isBlob(value)) return "blob";
  if (typeof value === "string") return "text";
  return /^-?\d+$/.test(value instanceof Exact ? value.text : String(value)) ? "integer" : "real";
}
