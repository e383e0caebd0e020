#include "hooks.h"
#include "_cgo_export.h"

static int authorize(void *h, int action, const char *a, const char *b, const char *schema, const char *trigger) {
  return goAuthorize((uintptr_t)h, action, (char *)a, (char *)b, (char *)schema, (char *)trigger);
}

int nl_set_authorizer(sqlite3 *db, uintptr_t handle) {
  return sqlite3_set_authorizer(db, handle ? authorize : NULL, (void *)handle);
}

static int busy(void *h, int count) { return goBusy((uintptr_t)h, count); }

int nl_set_busy_handler(sqlite3 *db, uintptr_t handle) {
  return sqlite3_busy_handler(db, handle ? busy : NULL, (void *)handle);
}

static int committed(void *h, sqlite3 *db, const char *schema, int frames) {
  (void)db;
  return goWALHook((uintptr_t)h, (char *)schema, frames);
}

void nl_set_wal_hook(sqlite3 *db, uintptr_t handle) {
  sqlite3_wal_hook(db, handle ? committed : NULL, (void *)handle);
}

/* load describes an argument. Its bytes stay SQLite's until the function
** returns. It reports 0 when there is no memory to convert them. */
static int load(nl_value *to, sqlite3_value *from) {
  const void *bytes;
  to->type = sqlite3_value_type(from);
  to->n = 0;
  to->u.i = 0;
  switch (to->type) {
  case SQLITE_INTEGER: to->u.i = sqlite3_value_int64(from); return 1;
  case SQLITE_FLOAT: to->u.d = sqlite3_value_double(from); return 1;
  case SQLITE_TEXT: bytes = sqlite3_value_text(from); break;
  case SQLITE_BLOB: bytes = sqlite3_value_blob(from); break;
  default: return 1;
  }
  to->n = sqlite3_value_bytes(from);
  to->u.i = (int64_t)(uintptr_t)(bytes ? bytes : "");
  return bytes != NULL || to->n == 0;
}

static void result(sqlite3_context *ctx, const nl_value *v) {
  const void *bytes = (const void *)(uintptr_t)v->u.i;
  void (*done)(void *) = v->type & NL_OWNED ? sqlite3_free : SQLITE_TRANSIENT;
  switch (v->type & 0xff) {
  case SQLITE_INTEGER: sqlite3_result_int64(ctx, v->u.i); break;
  case SQLITE_FLOAT: sqlite3_result_double(ctx, v->u.d); break;
  case SQLITE_TEXT: sqlite3_result_text64(ctx, bytes, (sqlite3_uint64)v->n, done, SQLITE_UTF8); break;
  case SQLITE_BLOB: sqlite3_result_blob64(ctx, bytes, (sqlite3_uint64)v->n, done); break;
  case NL_ZEROBLOB: sqlite3_result_zeroblob64(ctx, (sqlite3_uint64)v->u.i); break;
  case NL_ERROR:
    sqlite3_result_error(ctx, bytes, v->n);
    sqlite3_result_error_code(ctx, v->type >> 16);
    if (v->type & NL_OWNED) sqlite3_free((void *)bytes);
    break;
  default: sqlite3_result_null(ctx);
  }
}

/* call hands Go the arguments and takes the result, in one crossing. */
static void call(sqlite3_context *ctx, int what, int n, sqlite3_value **in) {
  nl_value v[n + 1]; /* the last one is the result */
  uintptr_t *state = NULL; /* of an aggregate: a handle, 0 before the first row */
  uintptr_t none = 0;
  for (int i = 0; i < n; i++) {
    if (!load(&v[i], in[i])) {
      sqlite3_result_error_code(ctx, SQLITE_NOMEM);
      return;
    }
  }
  if (what != NL_CALL) state = sqlite3_aggregate_context(ctx, what == NL_STEP ? sizeof *state : 0);
  if (what == NL_STEP && state == NULL) {
    sqlite3_result_error_code(ctx, SQLITE_NOMEM);
    return;
  }
  v[n].type = SQLITE_NULL;
  goCall((uintptr_t)sqlite3_user_data(ctx), what, state ? state : &none, n, v);
  if (what != NL_STEP || (v[n].type & 0xff) == NL_ERROR) result(ctx, &v[n]);
}

static void scalar(sqlite3_context *ctx, int n, sqlite3_value **v) { call(ctx, NL_CALL, n, v); }
static void step(sqlite3_context *ctx, int n, sqlite3_value **v) { call(ctx, NL_STEP, n, v); }
static void final(sqlite3_context *ctx) { call(ctx, NL_FINAL, 0, NULL); }
static void release(void *h) { goRelease((uintptr_t)h); }

int nl_create_function(sqlite3 *db, const char *name, int nargs, int flags, uintptr_t handle, int aggregate) {
  flags |= SQLITE_UTF8;
  if (handle == 0) return sqlite3_create_function_v2(db, name, nargs, flags, NULL, NULL, NULL, NULL, NULL);
  return sqlite3_create_function_v2(db, name, nargs, flags, (void *)handle, aggregate ? NULL : scalar,
                                    aggregate ? step : NULL, aggregate ? final : NULL, release);
}

static int compare(void *h, int na, const void *a, int nb, const void *b) {
  return goCompare((uintptr_t)h, (void *)a, na, (void *)b, nb);
}

int nl_create_collation(sqlite3 *db, const char *name, uintptr_t handle) {
  if (handle == 0) return sqlite3_create_collation_v2(db, name, SQLITE_UTF8, NULL, NULL, NULL);
  return sqlite3_create_collation_v2(db, name, SQLITE_UTF8, (void *)handle, compare, release);
}
