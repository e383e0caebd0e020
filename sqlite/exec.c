/* One crossing from Go for a whole execution: bind, step, fetch, reset. */
#include "port.h"
#include <stdlib.h>
#include <string.h>

nl_port *nl_port_new(void) { return calloc(1, sizeof(nl_port)); }

void nl_port_free(nl_port *p) {
  if (p == NULL) return;
  free(p->args);
  free(p->file);
  free(p);
}

/* bind binds the arguments at byte `at` of the args buffer.  Text and blobs are
** bound in place: the buffer outlives the execution (a cursor that stays open
** takes the buffer with it; see Rows in Go). */
static int bind(nl_port *p, sqlite3_stmt *s, int64_t at, int nargs) {
  const nl_value *v = (const nl_value *)(p->args + at);
  int rc = SQLITE_OK;
  for (int i = 1; i <= nargs; i++, v++) {
    void (*del)(void *) = SQLITE_STATIC;
    void *bytes = NULL;
    if (v->type == SQLITE_TEXT || v->type == SQLITE_BLOB) bytes = p->args + v->u.i;
    if (v->type & NL_OWNED) {
      bytes = (void *)(uintptr_t)v->u.i;
      del = sqlite3_free;
      if (rc != SQLITE_OK) sqlite3_free(bytes); /* nobody else will */
    }
    if (rc != SQLITE_OK) continue;
    switch (v->type & ~NL_OWNED) {
    case SQLITE_INTEGER: rc = sqlite3_bind_int64(s, i, v->u.i); break;
    case SQLITE_FLOAT: rc = sqlite3_bind_double(s, i, v->u.d); break;
    case SQLITE_TEXT: rc = sqlite3_bind_text64(s, i, bytes, (sqlite3_uint64)v->n, del, SQLITE_UTF8); break;
    case SQLITE_BLOB: rc = sqlite3_bind_blob64(s, i, bytes, (sqlite3_uint64)v->n, del); break;
    case NL_ZEROBLOB: rc = sqlite3_bind_zeroblob64(s, i, (sqlite3_uint64)v->u.i); break;
    default: rc = sqlite3_bind_null(s, i); break;
    }
  }
  return rc;
}

/* outcome records what the engine asks after every statement.  It is read
** before the statement is reset, in the same crossing, so that nothing can
** come between.  changes64 keeps the value of an older statement when this one
** is no DML; the difference of the totals tells. */
static void outcome(nl_port *p) {
  int hi;
  int64_t total = sqlite3_total_changes64(p->db);
  p->changed = total != p->total;
  p->total = total;
  p->changes = p->changed ? sqlite3_changes64(p->db) : 0;
  p->rowid = sqlite3_last_insert_rowid(p->db);
  p->autocommit = sqlite3_get_autocommit(p->db);
  p->deferred_fk = 0;
  sqlite3_db_status(p->db, SQLITE_DBSTATUS_DEFERRED_FKS, &p->deferred_fk, &hi, 0);
}

/* settle ends a statement in which a callback failed that has no other way to
** say so. */
static int settle(nl_port *p, sqlite3_stmt *s, int rc) {
  if (!p->failed) return rc;
  p->failed = 0;
  if (rc != SQLITE_OK) return rc;
  sqlite3_reset(s);
  p->more = NL_END;
  return SQLITE_ABORT;
}

static int run(nl_port *p, sqlite3_stmt *s, int64_t at, int nargs) {
  int rc = bind(p, s, at, nargs);
  if (rc == SQLITE_OK) {
    do {
      rc = sqlite3_step(s);
    } while (rc == SQLITE_ROW);
    int end = sqlite3_reset(s);
    rc = rc == SQLITE_DONE ? SQLITE_OK : (end != SQLITE_OK ? end : rc);
  }
  outcome(p);
  return settle(p, s, rc);
}

int nl_exec(uintptr_t port, uintptr_t stmt, int nargs) {
  nl_port *p = (nl_port *)port;
  return p->rc = run(p, (sqlite3_stmt *)stmt, 0, nargs);
}

int nl_batch(uintptr_t port, uintptr_t ops, int n) {
  nl_port *p = (nl_port *)port;
  nl_op *op = (nl_op *)ops;
  for (int i = 0; i < n; i++, op++) {
    p->rc = run(p, op->stmt, op->args, op->nargs);
    op->changes = p->changes;
    op->rowid = p->rowid;
    if (p->rc != SQLITE_OK || p->autocommit) {
      p->failed_op = i;
      return p->rc;
    }
  }
  p->failed_op = -1;
  return SQLITE_OK;
}

enum { ADDED, NO_ROOM, IN_PLACE, NO_MEMORY };

/* A tail of fewer bytes is copied twice, which costs less than one more crossing. */
#define NL_TAIL_MIN 1024

/* add_row appends the current row to the block. */
static int add_row(sqlite3_stmt *s, nl_block *b, int ncol, int flags) {
  int64_t need = (int64_t)sizeof(nl_value) * ncol;
  int64_t room = (int64_t)b->cap - b->used;
  int in_place = 0;
  if (need > room) return NO_ROOM;
  nl_value *v = (nl_value *)(b->mem + b->used);
  for (int i = 0; i < ncol; i++, v++) {
    v->type = sqlite3_column_type(s, i);
    v->n = 0;
    switch (v->type) {
    case SQLITE_INTEGER: v->u.i = sqlite3_column_int64(s, i); continue;
    case SQLITE_FLOAT: v->u.d = sqlite3_column_double(s, i); continue;
    case SQLITE_NULL: v->u.i = 0; continue;
    }
    const void *bytes = v->type == SQLITE_TEXT ? (const void *)sqlite3_column_text(s, i) : sqlite3_column_blob(s, i);
    v->n = sqlite3_column_bytes(s, i);
    if (bytes == NULL && v->n > 0) return NO_MEMORY;
    if (bytes == NULL) bytes = ""; /* of an empty blob; a null pointer would read as NULL */
    if (!in_place && need + v->n > room) {
      if (b->nrow > 0) return NO_ROOM;
      in_place = 1;
    }
    if (flags & NL_TAIL && i == ncol - 1 && v->n >= NL_TAIL_MIN) in_place = 1;
    if (in_place) {
      v->u.i = (int64_t)(uintptr_t)bytes;
    } else {
      unsigned char *to = b->mem + b->used + need;
      if (v->n > 0) memcpy(to, bytes, (size_t)v->n);
      v->u.i = (int64_t)(uintptr_t)to;
      need += v->n;
    }
  }
  need = (need + 7) & ~(int64_t)7;
  b->used = need > room ? b->cap : b->used + (int32_t)need;
  b->nrow++;
  return in_place ? IN_PLACE : ADDED;
}

/* fill appends rows, the current one first if NL_AT_ROW, until the block is
** full or the statement ends or fails.  A failure behind rows is for the next
** call: the statement keeps it, message included, until it is reset (nl_end). */
static int fill(nl_port *p, sqlite3_stmt *s, nl_block *b, int flags) {
  int rc = flags & NL_AT_ROW ? SQLITE_ROW : sqlite3_step(s);
  int ncol = sqlite3_column_count(s); /* after the step: a changed schema may have changed it */
  b->ncol = ncol;
  b->nrow = 0;
  b->start = b->used;
  for (; rc == SQLITE_ROW; rc = sqlite3_step(s)) {
    switch (add_row(s, b, ncol, flags)) {
    case NO_ROOM: p->more = NL_PENDING; return p->rc = SQLITE_OK;
    case IN_PLACE: p->more = NL_IN_PLACE; return p->rc = SQLITE_OK;
    case NO_MEMORY: sqlite3_reset(s); p->more = NL_END; return p->rc = SQLITE_NOMEM;
    }
    if (flags & NL_ONE) break;
  }
  if (rc != SQLITE_ROW && rc != SQLITE_DONE && b->nrow > 0) {
    p->more = NL_FAILED;
    return p->rc = SQLITE_OK;
  }
  /* A writing statement cut short commits in its reset, which can fail. */
  int end = sqlite3_reset(s);
  p->more = NL_END;
  if (rc == SQLITE_DONE || rc == SQLITE_ROW) rc = SQLITE_OK;
  return p->rc = end != SQLITE_OK ? end : rc;
}

int nl_query(uintptr_t port, uintptr_t stmt, int nargs, uintptr_t block, int flags) {
  nl_port *p = (nl_port *)port;
  sqlite3_stmt *s = (sqlite3_stmt *)stmt;
  nl_block *b = (nl_block *)block;
  p->more = NL_END;
  p->rc = SQLITE_OK;
  b->nrow = 0;
  if (flags & NL_FRESH) p->rc = nl_snapshot_refresh(port);
  if (p->rc == SQLITE_OK) p->rc = bind(p, s, 0, nargs);
  if (p->rc == SQLITE_OK) fill(p, s, b, flags);
  p->prepared = sqlite3_stmt_status(s, SQLITE_STMTSTATUS_REPREPARE, 0) + 1;
  if (!(flags & NL_FRESH)) outcome(p);
  return p->rc = settle(p, s, p->rc);
}

int nl_format_float(double f, char *buf, int size) {
  sqlite3_snprintf(size, buf, "%!.17g", f);
  return (int)strlen(buf);
}

int nl_end(uintptr_t port, uintptr_t stmt) {
  nl_port *p = (nl_port *)port;
  p->rc = sqlite3_reset((sqlite3_stmt *)stmt);
  p->more = NL_END;
  outcome(p);
  return p->rc;
}

int nl_fetch(uintptr_t port, uintptr_t stmt, uintptr_t block, int flags) {
  nl_port *p = (nl_port *)port;
  fill(p, (sqlite3_stmt *)stmt, (nl_block *)block, flags);
  outcome(p);
  return p->rc = settle(p, (sqlite3_stmt *)stmt, p->rc);
}
