// Kysely with its libSQL dialect: schema, queries, transactions.
import assert from "node:assert/strict";
import { Kysely, sql } from "kysely";
import { LibsqlDialect } from "@libsql/kysely-libsql";

const db = new Kysely({ dialect: new LibsqlDialect({ url: process.env.DATABASE_URL, authToken: process.env.DATABASE_TOKEN || undefined }) });
await db.schema.createTable("person")
  .addColumn("id", "integer", (c) => c.primaryKey())
  .addColumn("name", "text", (c) => c.notNull().unique())
  .addColumn("age", "integer").execute();
const inserted = await db.insertInto("person").values([{ name: "Ann", age: 30 }, { name: "Ben", age: 40 }]).executeTakeFirst();
assert.equal(inserted.insertId, 2n);
assert.equal(inserted.numInsertedOrUpdatedRows, 2n);
assert.deepEqual(await db.insertInto("person").values({ name: "Cid" }).returning(["id", "name"]).execute(), [{ id: 3, name: "Cid" }]);
const older = await db.selectFrom("person").select(["name", sql`age + 1`.as("next")]).where("age", ">", 35).execute();
assert.deepEqual(older.map((row) => ({ ...row })), [{ name: "Ben", next: 41 }]);
assert.equal((await db.updateTable("person").set({ age: 1 }).where("age", "is", null).executeTakeFirst()).numUpdatedRows, 1n);

await db.transaction().execute(async (tx) => {
  await tx.deleteFrom("person").where("name", "=", "Cid").execute();
  assert.equal((await tx.selectFrom("person").selectAll().execute()).length, 2);
});
await assert.rejects(db.transaction().execute(async (tx) => {
  await tx.deleteFrom("person").execute();
  await tx.insertInto("person").values({ name: null }).execute();
}), /NOT NULL constraint failed: person.name/);
assert.equal((await db.selectFrom("person").selectAll().execute()).length, 2);
const tables = await db.introspection.getTables();
assert.deepEqual(tables.map((table) => table.name), ["person"]);
assert.deepEqual(tables[0].columns.map((column) => column.name), ["id", "name", "age"]);
await db.destroy();
console.log("ok");
