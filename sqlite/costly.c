/* Functions of SQLite whose time grows with the product of the sizes of their
** arguments, in which no interrupt is seen: with two texts of 64 MB, instr(), replace()
** and trim() take hours, and json_patch() a day.  Here instr() and replace() take a
** time that grows with the sum, and the others give up.  See BoundFunctions in Go.
**
** They do what SQLite's own do, byte by byte; a test compares them. */
#define _GNU_SOURCE
#include "port.h"
#include <string.h>

/* How many comparisons a call may make: for about a second. */
#define BUDGET 200000000

#define FLAGS (SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS)

static void refuse(sqlite3_context *ctx, const char *why) { sqlite3_result_error(ctx, why, -1); }

/* find returns where a needle of n > 0 bytes begins, or NULL. */
static const char *find(const char *hay, int64_t size, const char *needle, int64_t n) {
#ifdef _WIN32
  for (; size >= n; hay++, size--)
    if (*hay == *needle && memcmp(hay, needle, n) == 0) return hay;
  return NULL;
#else
  return size < n ? NULL : memmem(hay, size, needle, n);
#endif
}

/* continues says whether a byte of UTF-8 is not a character's first. */
static int continues(char c) { return (c & 0xc0) == 0x80; }

/* place returns the number of the character at which the needle begins, from 1; 0 if
** it is not there. */
static int64_t place(const char *hay, int64_t size, const char *needle, int64_t n) {
  const char *at;
  int64_t chars = 1;
  if (n == 0) return 1;
  if (continues(needle[0])) { /* no character begins so, but the first of a text that is no UTF-8 */
    return size >= n && memcmp(hay, needle, n) == 0;
  }
  at = find(hay, size, needle, n);
  if (at == NULL) return 0;
  for (const char *p = hay + 1; p <= at; p++) chars += !continues(*p);
  return chars;
}

static void instr(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  int types[2];
  (void)argc;
  for (int i = 0; i < 2; i++) {
    types[i] = sqlite3_value_type(argv[i]);
    if (types[i] == SQLITE_NULL) return;
  }
  if (types[0] == SQLITE_BLOB && types[1] == SQLITE_BLOB) {
    const char *hay = sqlite3_value_blob(argv[0]), *needle = sqlite3_value_blob(argv[1]);
    int64_t size = sqlite3_value_bytes(argv[0]), n = sqlite3_value_bytes(argv[1]);
    if ((size > 0 && hay == NULL) || (n > 0 && needle == NULL)) {
      sqlite3_result_error_code(ctx, SQLITE_NOMEM);
      return;
    }
    const char *at = n == 0 ? hay : size == 0 ? NULL : find(hay, size, needle, n);
    sqlite3_result_int64(ctx, n == 0 ? 1 : at == NULL ? 0 : at - hay + 1);
    return;
  }
  /* A blob becomes a text here, and must stay what it is for others. */
  sqlite3_value *own[2] = {NULL, NULL};
  const char *text[2];
  int64_t size[2];
  int ok = 1;
  for (int i = 0; i < 2; i++) {
    sqlite3_value *v = argv[i];
    if (types[i] == SQLITE_BLOB) v = own[i] = sqlite3_value_dup(v);
    text[i] = v != NULL ? (const char *)sqlite3_value_text(v) : NULL;
    size[i] = v != NULL ? sqlite3_value_bytes(v) : 0;
    if (text[i] == NULL && (v == NULL || size[i] > 0)) ok = 0;
    if (text[i] == NULL) text[i] = "";
  }
  if (ok)
    sqlite3_result_int64(ctx, place(text[0], size[0], text[1], size[1]));
  else
    sqlite3_result_error_code(ctx, SQLITE_NOMEM);
  sqlite3_value_free(own[0]);
  sqlite3_value_free(own[1]);
}

static void replace(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  const char *in = (const char *)sqlite3_value_text(argv[0]);
  if (in == NULL) return;
  int64_t size = sqlite3_value_bytes(argv[0]);
  const char *from = (const char *)sqlite3_value_text(argv[1]);
  if (from == NULL) return;
  if (from[0] == 0) {
    sqlite3_result_text64(ctx, in, size, SQLITE_TRANSIENT, SQLITE_UTF8);
    return;
  }
  int64_t nfrom = sqlite3_value_bytes(argv[1]);
  const char *to = (const char *)sqlite3_value_text(argv[2]);
  if (to == NULL) return;
  int64_t nto = sqlite3_value_bytes(argv[2]), found = 0;
  const char *end = in + size;
  for (const char *p = in; (p = find(p, end - p, from, nfrom)) != NULL; p += nfrom) found++;
  int64_t total = size + found * (nto - nfrom);
  if (total > sqlite3_limit(sqlite3_context_db_handle(ctx), SQLITE_LIMIT_LENGTH, -1)) {
    sqlite3_result_error_code(ctx, SQLITE_TOOBIG);
    return;
  }
  char *out = sqlite3_malloc64(total + 1), *o = out;
  if (out == NULL) {
    sqlite3_result_error_code(ctx, SQLITE_NOMEM);
    return;
  }
  for (const char *p = in;;) {
    const char *at = found > 0 ? find(p, end - p, from, nfrom) : NULL;
    int64_t keep = (at != NULL ? at : end) - p;
    memcpy(o, p, keep);
    o += keep;
    if (at == NULL) break;
    memcpy(o, to, nto);
    o += nto;
    p = at + nfrom;
  }
  *o = 0;
  sqlite3_result_text64(ctx, out, total, sqlite3_free, SQLITE_UTF8);
}

/* next returns where the character after the one at z begins. */
static const char *next(const char *z) {
  unsigned char c = (unsigned char)*z++;
  if (c >= 0xc0)
    while (continues(*z)) z++;
  return z;
}

#define LEFT 1
#define RIGHT 2

/* strip returns how many bytes to take off one end at most, which are one of the
** characters; 0 if none is. */
static int64_t strip(const char *in, int64_t n, const char *chars, int right, int64_t *budget) {
  for (const char *z = chars; *z; z = next(z)) {
    int64_t len = next(z) - z;
    --*budget;
    if (len <= n && memcmp(right ? in + n - len : in, z, len) == 0) return len;
  }
  return 0;
}

/* trim is trim(), ltrim() and rtrim(): the user data says which. */
static void trim(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  int ends = (int)(intptr_t)sqlite3_user_data(ctx);
  int64_t budget = BUDGET, len = 1;
  const char *chars = " ";
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  const char *in = (const char *)sqlite3_value_text(argv[0]);
  if (in == NULL) return;
  int64_t n = sqlite3_value_bytes(argv[0]);
  if (argc == 2 && (chars = (const char *)sqlite3_value_text(argv[1])) == NULL) return;
  for (len = 1; (ends & LEFT) && n > 0 && len > 0 && budget > 0; in += len, n -= len) len = strip(in, n, chars, 0, &budget);
  for (len = 1; (ends & RIGHT) && n > 0 && len > 0 && budget > 0; n -= len) len = strip(in, n, chars, 1, &budget);
  if (budget <= 0) {
    refuse(ctx, "trim: too many characters are to be compared with too many");
    return;
  }
  sqlite3_result_text64(ctx, in, n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

/* A patcher calls SQLite's own function, which ours hides on its connection, on
** another connection, to an empty database. */
typedef struct patcher {
  const char *sql;
  sqlite3 *db;
  sqlite3_stmt *stmt;
} patcher;

static void patcher_free(void *p) {
  patcher *f = p;
  sqlite3_finalize(f->stmt);
  sqlite3_close_v2(f->db);
  sqlite3_free(f);
}

/* members returns how many members an object in JSON, or JSONB, can have. */
static int64_t members(sqlite3_value *v) {
  int64_t n = sqlite3_value_bytes(v), colons = 0;
  const char *z;
  if (sqlite3_value_type(v) == SQLITE_BLOB) return n / 2;
  if (sqlite3_value_type(v) != SQLITE_TEXT || (z = (const char *)sqlite3_value_text(v)) == NULL) return 0;
  n = sqlite3_value_bytes(v);
  for (int64_t i = 0; i < n; i++) colons += z[i] == ':';
  return colons;
}

static int patcher_ready(patcher *f) {
  if (f->stmt != NULL) return SQLITE_OK;
  if (f->db == NULL) {
    int rc = sqlite3_open_v2(":memory:", &f->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) return rc;
  }
  return sqlite3_prepare_v3(f->db, f->sql, -1, SQLITE_PREPARE_PERSISTENT, &f->stmt, NULL);
}

static void patch(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  patcher *f = sqlite3_user_data(ctx);
  int64_t a = members(argv[0]), b = members(argv[1]);
  if (b > 0 && a > BUDGET / b) {
    refuse(ctx, "json_patch: the objects have too many members");
    return;
  }
  int rc = patcher_ready(f);
  if (rc != SQLITE_OK) {
    sqlite3_result_error_code(ctx, rc);
    return;
  }
  sqlite3_limit(f->db, SQLITE_LIMIT_LENGTH, sqlite3_limit(sqlite3_context_db_handle(ctx), SQLITE_LIMIT_LENGTH, -1));
  if ((rc = sqlite3_bind_value(f->stmt, 1, argv[0])) == SQLITE_OK) rc = sqlite3_bind_value(f->stmt, 2, argv[1]);
  if (rc == SQLITE_OK && (rc = sqlite3_step(f->stmt)) == SQLITE_ROW) {
    sqlite3_result_value(ctx, sqlite3_column_value(f->stmt, 0));
    sqlite3_result_subtype(ctx, 'J'); /* json(…), not a text that holds some */
    rc = SQLITE_OK;
  } else {
    refuse(ctx, sqlite3_errmsg(f->db));
    if (rc == SQLITE_NOMEM || rc == SQLITE_TOOBIG) sqlite3_result_error_code(ctx, rc);
  }
  sqlite3_reset(f->stmt);
  sqlite3_clear_bindings(f->stmt);
}

static int add_patch(sqlite3 *db, const char *name, const char *sql) {
  patcher *f = sqlite3_malloc64(sizeof *f);
  if (f == NULL) return SQLITE_NOMEM;
  *f = (patcher){sql, NULL, NULL};
  return sqlite3_create_function_v2(db, name, 2, FLAGS | SQLITE_RESULT_SUBTYPE, f, patch, NULL, NULL, patcher_free);
}

int nl_bound_functions(uintptr_t port) {
  sqlite3 *db = ((nl_port *)port)->db;
  static const struct {
    const char *name;
    int nargs;
    intptr_t data;
    void (*call)(sqlite3_context *, int, sqlite3_value **);
  } all[] = {
      {"instr", 2, 0, instr},    {"replace", 3, 0, replace},     {"trim", 1, LEFT | RIGHT, trim}, {"trim", 2, LEFT | RIGHT, trim},
      {"ltrim", 1, LEFT, trim},  {"ltrim", 2, LEFT, trim},       {"rtrim", 1, RIGHT, trim},       {"rtrim", 2, RIGHT, trim},
  };
  int rc = SQLITE_OK;
  for (unsigned i = 0; i < sizeof all / sizeof *all && rc == SQLITE_OK; i++)
    rc = sqlite3_create_function_v2(db, all[i].name, all[i].nargs, FLAGS, (void *)all[i].data, all[i].call, NULL, NULL, NULL);
  if (rc == SQLITE_OK) rc = add_patch(db, "json_patch", "SELECT json_patch(?1, ?2)");
  if (rc == SQLITE_OK) rc = add_patch(db, "jsonb_patch", "SELECT jsonb_patch(?1, ?2)");
  return rc;
}
