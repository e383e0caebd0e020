// The statements that were run, the latest first.

import * as store from "./store.js";

const MAX = 200;
const LONGEST = 20_000; // characters; longer texts are imports, not statements to repeat

/** History remembers texts and walks through them. */
export class History {
  #at = -1; // how far back the walk is; -1: not walking
  #draft = "";

  constructor() {
    try {
      this.entries = JSON.parse(store.get("history") ?? "[]").filter((e) => typeof e?.sql === "string");
    } catch {
      this.entries = [];
    }
  }

  /** add remembers a text as the latest. */
  add(sql, database) {
    this.#at = -1;
    if (sql.length > LONGEST) return;
    this.entries = [{ sql, database, at: Date.now() }, ...this.entries.filter((e) => e.sql !== sql)].slice(0, MAX);
    this.#save();
  }

  /** walk goes one step back (1) or forth (-1) from a draft and returns the text there, or null. */
  walk(step, draft) {
    if (this.#at < 0) this.#draft = draft;
    const to = this.#at + step;
    if (to < -1 || to >= this.entries.length) return null;
    this.#at = to;
    return to < 0 ? this.#draft : this.entries[to].sql;
  }

  /** rest ends a walk: the text was changed by hand. */
  rest() {
    this.#at = -1;
  }

  /** clear forgets all of them. */
  clear() {
    this.entries = [];
    this.#at = -1;
    this.#save();
  }

  #save() {
    store.set("history", JSON.stringify(this.entries));
  }
}
