// How a client chooses one of several databases on loopback.
import assert from "node:assert/strict";
import dns from "node:dns";
import { createClient } from "@libsql/client";
import Database from "libsql";

const base = new URL(process.env.DATABASE_URL);
const { port } = base;
for (const name of ["alpha", "beta"]) {
  const made = await fetch(`${base.origin}/v1/databases`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ name }) });
  assert.ok(made.ok, `create ${name}: ${made.status}`);
}

// where writes by the way that is tried, and looks for it by one that is known to
// work: a path in a request of our own.
async function where({ execute, close }, way) {
  try {
    await execute(`CREATE TABLE IF NOT EXISTS way (name TEXT)`);
    await execute(`INSERT INTO way VALUES ('${way}')`);
  } catch (error) {
    return `refused: ${error.cause?.message ?? error.message}`;
  } finally {
    close();
  }
  for (const name of ["alpha", "beta", "main"]) {
    const answer = await fetch(`${base.origin}/db/${name}/v2/pipeline`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ requests: [{ type: "execute", stmt: { sql: `SELECT count(*) FROM way WHERE name = '${way}'` } }, { type: "close" }] }),
    });
    const [result] = (await answer.json()).results;
    if (result.type === "ok" && result.response.result.rows[0][0].value !== "0") return name;
  }
  return "nowhere";
}

// Browsers and systemd know that every NAME.localhost is this machine; a plain
// resolver does not. What the clients do with the name is the same.
const resolves = await dns.promises.lookup("alpha.localhost").then(() => true, () => false);
const { lookup } = dns;
dns.lookup = (name, options, done) => lookup(name.endsWith(".localhost") ? "localhost" : name, options, done);

const ways = {};
const libsql = (url) => {
  const db = new Database(url, { authToken: "" });
  return { execute: async (sql) => db.exec(sql), close: () => db.close() };
};
const web = (config) => {
  const client = createClient(config);
  return { execute: (sql) => client.execute(sql), close: () => client.close() };
};
const withHeader = (name) => (url, init) => {
  const request = new Request(url, init);
  request.headers.set(name, "alpha");
  return fetch(request);
};

for (const scheme of ["http", "ws"]) {
  ways[`${scheme}, path`] = await where(web({ url: `${scheme}://127.0.0.1:${port}/db/alpha` }), `${scheme} path`);
  ways[`${scheme}, path with a slash`] = await where(web({ url: `${scheme}://127.0.0.1:${port}/db/alpha/` }), `${scheme} slash`);
  ways[`${scheme}, host`] = await where(web({ url: `${scheme}://alpha.localhost:${port}` }), `${scheme} host`);
}
ways["http, our header"] = await where(web({ url: base.origin, fetch: withHeader("x-nearlite-database") }), "header");
ways["http, libSQL's header"] = await where(web({ url: base.origin, fetch: withHeader("x-namespace") }), "namespace");
ways["libsql, path"] = await where(libsql(`${base.origin}/db/alpha`), "libsql path");
if (resolves) ways["libsql, host"] = await where(libsql(`http://alpha.localhost:${port}`), "libsql host");
ways["http, none"] = await where(web({ url: base.origin }), "none");

console.log(JSON.stringify(ways, null, 1));
for (const [way, database] of Object.entries(ways)) {
  switch (way) {
    case "http, none":
      assert.equal(database, "main");
      break;
    case "http, path":
      // The client replaces the last part of a path that has no slash at its end.
      assert.match(database, /slash/);
      break;
    default:
      assert.equal(database, "alpha", way);
  }
}
