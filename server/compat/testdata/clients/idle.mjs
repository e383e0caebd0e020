// A stream that is held for 15 seconds between two statements. libSQL's own
// server ends it after ten.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import * as hrana from "@libsql/hrana-client";

const url = process.env.DATABASE_URL;
const open = url.startsWith("ws") ? hrana.openWs : hrana.openHttp;
const client = open(url, process.env.DATABASE_TOKEN || undefined);
await client.getVersion?.(); // of a WebSocket: before it nothing can be stored
const stream = client.openStream();
const keeper = url.startsWith("ws") ? client : stream; // who stores texts
await stream.run("CREATE TABLE idle (x)");
const stored = keeper.storeSql("INSERT INTO idle VALUES (?) RETURNING x");
assert.equal((await stream.queryValue([stored, [1]])).value, 1);
await pause(Number(process.env.IDLE_MS ?? 15_000));
assert.equal((await stream.queryValue([stored, [2]])).value, 2, "the text is still stored");
assert.equal((await stream.queryValue("SELECT count(*) FROM idle")).value, 2);
stream.close();
client.close();
console.log("ok");
