// Without a good token nobody gets in, and the client says so.
import assert from "node:assert/strict";
import { createClient } from "@libsql/client";

const url = process.env.DATABASE_URL;
for (const authToken of [undefined, "nonsense", "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJhIjoicncifQ.AAAA"]) {
  const client = createClient({ url, authToken });
  await assert.rejects(client.execute("SELECT 1"), (error) => {
    assert.match(`${error.code} ${error.message} ${error.cause?.message}`, /401|AUTH|[Uu]nauthorized|authentication/);
    return true;
  });
  client.close();
}
console.log("ok");
