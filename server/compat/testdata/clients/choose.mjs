// How a client chooses one of several databases on loopback.
import assert from "node:assert/strict";
import http from "node:http";
import { createClient } from "@libsql/client";
import Database from "libsql";

const base = new URL(process.env.DATABASE_URL);
const { port } = base;
for (const name of ["alpha", "beta"]) {
  const made = await fetch(`${base.origin}/v1/databases`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ name }) });
  assert.ok(made.ok, `create ${name}: ${made.status}`);
}

// mark writes the name of the way into a database, and who reads it by a way that is known to work?
async function where(execute, way) {
  await execute(`CREATE TABLE IF NOT EXISTS way (name TEXT)`);
  await execute(`INSERT INTO way VALUES ('${way}')`);
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

// A resolver that does not know NAME.localhost would fail for a reason that is not ours.
const resolves = await new Promise((done) => {
  http.get(`http://alpha.localhost:${port}/health`, (res) => { res.resume(); done(true); }).on("error", () => done(false));
});

const ways = {};
const libsql = (url) => {
  const db = new Database(url, { authToken: "" });
  return async (sql) => db.exec(sql);
};
const web = (config) => {
  const client = createClient(config);
  return (sql) => client.execute(sql);
};
const withHeader = (name) => (url, init) => {
  const request = new Request(url, init);
  request.headers.set(name, "alpha");
  return fetch(request);
};

for (const scheme of ["http", "ws"]) {
  ways[`${scheme}, path`] = await where(web({ url: `${scheme}://127.0.0.1:${port}/db/alpha` }), `${scheme} path`);
  ways[`${scheme}, path with a slash`] = await where(web({ url: `${scheme}://127.0.0.1:${port}/db/alpha/` }), `${scheme} slash`);
  if (resolves) ways[`${scheme}, host`] = await where(web({ url: `${scheme}://alpha.localhost:${port}` }), `${scheme} host`);
}
ways["http, our header"] = await where(web({ url: base.origin, fetch: withHeader("x-nearlite-database") }), "header");
ways["http, libSQL's header"] = await where(web({ url: base.origin, fetch: withHeader("x-namespace") }), "namespace");
ways["libsql, path"] = await where(libsql(`${base.origin}/db/alpha`), "libsql path");
if (resolves) ways["libsql, host"] = await where(libsql(`http://alpha.localhost:${port}`), "libsql host");
ways["http, none"] = await where(web({ url: base.origin }), "none");

console.log(JSON.stringify({ resolves, ...ways }, null, 1));
for (const [way, database] of Object.entries(ways)) {
  assert.equal(database, way.endsWith("none") ? "main" : "alpha", way);
}
