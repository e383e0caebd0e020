// drizzle-orm on its libsql driver: migrations from files, queries, transactions.
import assert from "node:assert/strict";
import { createClient } from "@libsql/client";
import { eq, sql, relations } from "drizzle-orm";
import { drizzle } from "drizzle-orm/libsql";
import { migrate } from "drizzle-orm/libsql/migrator";
import { blob, integer, sqliteTable, text, real } from "drizzle-orm/sqlite-core";

const author = sqliteTable("author", { id: integer().primaryKey(), name: text().notNull().unique() });
const post = sqliteTable("post", {
  id: integer().primaryKey({ autoIncrement: true }),
  authorId: integer("author_id").notNull().references(() => author.id),
  title: text().notNull(),
  published: integer({ mode: "boolean" }).notNull().default(false),
  at: integer({ mode: "timestamp_ms" }),
  meta: text({ mode: "json" }),
  score: real(),
  raw: blob(),
});
const authorRelations = relations(author, ({ many }) => ({ posts: many(post) }));
const postRelations = relations(post, ({ one }) => ({ author: one(author, { fields: [post.authorId], references: [author.id] }) }));

const client = createClient({ url: process.env.DATABASE_URL, authToken: process.env.DATABASE_TOKEN || undefined });
const db = drizzle(client, { schema: { author, post, authorRelations, postRelations } });
const migrations = { migrationsFolder: process.env.MIGRATIONS };
await migrate(db, migrations);
await migrate(db, migrations); // a second time there is nothing to do

const [alice] = await db.insert(author).values({ name: "Alice" }).returning();
assert.deepEqual(alice, { id: 1, name: "Alice" });
const at = new Date(1700000000123);
await db.insert(post).values([
  { authorId: alice.id, title: "One", published: true, at, meta: { tags: ["a"] }, score: 0.5, raw: Buffer.from([1, 2]) },
  { authorId: alice.id, title: "Two" },
]);
const [first] = await db.select().from(post).where(eq(post.title, "One"));
assert.equal(first.published, true);
assert.deepEqual(first.at, at);
assert.deepEqual(first.meta, { tags: ["a"] });
assert.deepEqual(Buffer.from(first.raw), Buffer.from([1, 2]));

const joined = await db.select({ name: author.name, n: sql`count(*)` }).from(author).innerJoin(post, eq(post.authorId, author.id)).groupBy(author.id);
assert.deepEqual(joined, [{ name: "Alice", n: 2 }]);
const nested = await db.query.author.findFirst({ with: { posts: { columns: { title: true }, orderBy: post.id } } });
assert.deepEqual(nested.posts, [{ title: "One" }, { title: "Two" }]);

await db.insert(author).values({ id: 1, name: "Alicia" }).onConflictDoUpdate({ target: author.id, set: { name: "Alicia" } });
assert.equal((await db.update(post).set({ score: 1 }).where(eq(post.authorId, 1))).rowsAffected, 2);
await assert.rejects(db.insert(author).values({ name: "Alicia" }), (error) => /UNIQUE constraint failed: author.name/.test(`${error} ${error.cause}`));

await db.transaction(async (tx) => {
  await tx.insert(author).values({ name: "Bob" });
  await tx.transaction(async (inner) => {
    await inner.insert(author).values({ name: "Carol" });
    inner.rollback();
  }).catch(() => {});
});
await assert.rejects(db.transaction(async (tx) => {
  await tx.delete(post);
  throw new Error("changed my mind");
}), /changed my mind/);
const [a, b] = await db.batch([db.select().from(author), db.select().from(post)]);
assert.deepEqual(a.map((row) => row.name), ["Alicia", "Bob"]);
assert.equal(b.length, 2);
client.close();
console.log("ok");
