// The HTTP API, as everyone else uses it.

import { parse, stringify } from "./json.js";

/** Refused is an error the server answered with. */
export class Refused extends Error {
  constructor(status, { message, code = "", statement = null, offset = null }) {
    super(message);
    this.status = status; // of HTTP
    this.code = code;
    this.statement = statement; // which of several, from 1
    this.offset = offset; // into its text, in bytes
  }
}

/** Unreachable means that no answer came. */
export class Unreachable extends Error {}

/** Client sends requests with a token, to one database or to the server's own choice. */
export class Client {
  constructor(root, token = "", database = "") {
    this.root = root;
    this.token = token;
    this.database = database;
  }

  /** on returns a client for another database. */
  on(database) {
    return new Client(this.root, this.token, database);
  }

  /** status returns the figures of the server and of the database. */
  status(signal) {
    return this.#request("GET", "v1/status", { signal });
  }

  /** schema returns the tables, views, indexes and triggers. */
  schema(signal) {
    return this.#request("GET", "v1/schema", { signal });
  }

  /** run runs statements [{sql, params}] as one transaction and returns {results, position, time_ms}. */
  run(statements, { maxRows, signal } = {}) {
    return this.#request("POST", "v1/query", { signal, body: { statements, max_rows: maxRows } });
  }

  /** one runs a single statement and returns its result. */
  async one(sql, params = [], options = {}) {
    const answer = await this.run([{ sql, params }], options);
    return answer.results[0];
  }

  /** databases lists some of them by name: {databases, next}. */
  databases({ prefix = "", after = "", limit = 100, signal } = {}) {
    const query = new URLSearchParams({ prefix, after, limit });
    return this.#request("GET", `v1/databases?${query}`, { signal, server: true });
  }

  /** create makes a database, empty or as a copy of another. */
  create(name, from) {
    return this.#request("POST", "v1/databases", { server: true, body: { name, from } });
  }

  /** rename gives a database another name. */
  rename(name, to) {
    return this.#request("PATCH", `v1/databases/${encodeURIComponent(name)}`, { server: true, body: { name: to } });
  }

  /** remove deletes a database. */
  remove(name) {
    return this.#request("DELETE", `v1/databases/${encodeURIComponent(name)}`, { server: true });
  }

  async #request(method, path, { body, signal, server = false }) {
    const at = this.database && !server ? `db/${encodeURIComponent(this.database)}/${path}` : path;
    const headers = { Accept: "application/json" };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body) headers["Content-Type"] = "application/json";
    let response;
    let text;
    try {
      response = await fetch(new URL(at, this.root), {
        method, headers, signal, body: body && stringify(body), cache: "no-store", credentials: "omit", redirect: "error",
      });
      text = await response.text();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Unreachable(error.name === "TimeoutError" ? "The server did not answer in time." : "The server cannot be reached.");
    }
    return answer(response, text);
  }
}

// answer returns what a response says, or throws what it says.
function answer(response, text) {
  let value = null;
  try {
    value = text === "" ? null : parse(text);
  } catch {
    if (response.ok) throw new Unreachable("The answer is not JSON: something between here and the server changed it.");
  }
  if (response.ok) return value;
  const error = typeof value?.error === "string" ? { message: value.error } : value?.error;
  throw new Refused(response.status, {
    ...error,
    message: error?.message || text.slice(0, 500).trim() || `${response.status} ${response.statusText}`,
  });
}

/** claimed returns the database a token was issued for, or "", without judging the token. */
export function claimed(token) {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const { id } = JSON.parse(atob(payload));
    return typeof id === "string" ? id : "";
  } catch {
    return "";
  }
}
