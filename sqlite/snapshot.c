/*
** A reader that keeps its snapshot while nothing was committed.
**
** Beginning a read transaction costs locks, system calls and sometimes the
** page cache.  A held one costs nothing, and is still the newest commit as long
** as the header of the wal-index, in memory shared by all processes, is the one
** the snapshot began at.  So a query first compares 48 bytes.
**
** Invariants:
** 1. The header is noted BEFORE the snapshot begins.  The snapshot can then
**    only be newer than the note, which costs one needless refresh; noted after,
**    it could be older, which is a stale read.
** 2. Copy 0 of the header is compared.  A commit writes copy 1 first and copy 0
**    last, both before COMMIT returns: whoever knows of an acknowledged commit
**    finds all of it in copy 0.  A torn read can only differ from the note.
** 3. No two commits leave the same bytes: the change counter, the frame
**    checksum and the salts are among them.
**
** The snapshot is held by a SELECT that has been stepped once and not reset.
** Source of the header's layout: https://sqlite.org/walformat.html
*/
#include "port.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static sqlite3_file *database_file(nl_port *p) {
  sqlite3_file *f = NULL;
  if (sqlite3_file_control(p->db, "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK) return NULL;
  return f != NULL && f->pMethods != NULL ? f : NULL;
}

/* The methods of the database file, with two of our own.  SQLite has no other
** way to say that a mapping goes.  They live as long as the port, and the port
** longer than the connection. */
struct nl_file {
  sqlite3_io_methods methods; /* first: pMethods leads back to the nl_file */
  const sqlite3_io_methods *real;
  nl_port *port;
  int keep;                   /* the mapping of the file; see nl_keep_mapping */
  sqlite3_int64 size;         /* of the file, when it was last unmapped */
};

/* Leaving WAL mode unmaps the wal-index. */
static int forget_walindex(sqlite3_file *f, int delete) {
  nl_file *k = (nl_file *)f->pMethods;
  k->port->shm = NULL;
  return k->real->xShmUnmap(f, delete);
}

static int keep_unfetch(sqlite3_file *f, sqlite3_int64 offset, void *page) {
  nl_file *k = (nl_file *)f->pMethods;
  if (page == NULL && k->keep) {
    sqlite3_int64 size = -1;
    int rc = k->real->xFileSize(f, &size);
    if (rc == SQLITE_OK && size == k->size) return SQLITE_OK;
    k->size = size;
  }
  return k->real->xUnfetch(f, offset, page);
}

static int watch(nl_port *p, sqlite3_file *f) {
  const sqlite3_io_methods *real = f->pMethods;
  if (p->file != NULL) return SQLITE_OK;
  nl_file *k = calloc(1, sizeof *k);
  if (k == NULL) return SQLITE_NOMEM;
  /* An older table ends earlier. */
  memcpy(&k->methods, real, real->iVersion >= 3 ? sizeof *real : offsetof(sqlite3_io_methods, xFetch));
  k->methods.xShmUnmap = forget_walindex;
  if (real->iVersion >= 3 && real->xUnfetch != NULL) k->methods.xUnfetch = keep_unfetch;
  k->real = real;
  k->port = p;
  k->size = -1;
  p->file = k;
  f->pMethods = &k->methods;
  return SQLITE_OK;
}

/* Asking for the wal-index of a database that has none would make one, a file
** beside the database.  It has one when the header says WAL (the second of two
** version bytes) and this connection has opened the WAL. */
static int has_walindex(nl_port *p, sqlite3_file *f) {
  sqlite3_file *wal = NULL;
  unsigned char version = 0;
  if (f->pMethods->iVersion < 2 || f->pMethods->xShmMap == NULL) return 0;
  sqlite3_file_control(p->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
  return wal != NULL && wal->pMethods != NULL && f->pMethods->xRead(f, &version, 1, 19) == SQLITE_OK && version == 2;
}

/* Finds the wal-index in memory.  The connection must have read once, else
** there may be none; a database that is not in WAL mode never has one. */
int nl_map_walindex(uintptr_t port) {
  nl_port *p = (nl_port *)port;
  void volatile *at = NULL;
  if (p->shm != NULL) return SQLITE_OK;
  sqlite3_file *f = database_file(p);
  if (f == NULL || !has_walindex(p, f)) return SQLITE_NOTFOUND;
  int rc = watch(p, f);
  if (rc == SQLITE_OK) rc = f->pMethods->xShmMap(f, 0, 32768, 0, &at);
  if (rc != SQLITE_OK) return rc;
  if (at == NULL) return SQLITE_NOTFOUND;
  p->shm = at;
  return SQLITE_OK;
}

void nl_snapshot_drop(uintptr_t port) {
  nl_port *p = (nl_port *)port;
  if (p->pinned) sqlite3_reset(p->pin);
  p->pinned = 0;
}

/* Resets every statement that is running. */
void nl_end_statements(uintptr_t port) {
  nl_port *p = (nl_port *)port;
  for (sqlite3_stmt *s = sqlite3_next_stmt(p->db, NULL); s != NULL; s = sqlite3_next_stmt(p->db, s))
    if (sqlite3_stmt_busy(s)) sqlite3_reset(s);
  p->pinned = 0;
}

/* Virtual tables have statements of their own on the connection, so nobody may
** finalize what sqlite3_next_stmt finds. */
void nl_drop_pin(uintptr_t port) {
  nl_port *p = (nl_port *)port;
  sqlite3_finalize(p->pin);
  p->pin = NULL;
  p->pinned = 0;
}

static int pin(nl_port *p) {
  int rc = sqlite3_step(p->pin);
  if (rc == SQLITE_ROW) {
    p->pinned = 1;
    return SQLITE_OK;
  }
  int end = sqlite3_reset(p->pin);
  return rc == SQLITE_DONE ? SQLITE_OK : (end != SQLITE_OK ? end : rc);
}

int nl_snapshot_refresh(uintptr_t port) {
  nl_port *p = (nl_port *)port;
  __atomic_thread_fence(__ATOMIC_ACQUIRE); /* after what the caller knows of commits */
  if (p->pinned && p->shm != NULL && memcmp((const void *)p->shm, p->noted, NL_WALINDEX_HDR) == 0) return SQLITE_OK;
  nl_snapshot_drop(port);
  if (p->shm == NULL) { /* read once, then look for the wal-index */
    int rc = pin(p);
    if (rc != SQLITE_OK || nl_map_walindex(port) != SQLITE_OK) return rc;
    nl_snapshot_drop(port);
  }
  /* An open cursor or transaction keeps the connection where it is: the note
  ** stays as it was, so that the first refresh without one moves. */
  if (sqlite3_txn_state(p->db, "main") != SQLITE_TXN_NONE) return pin(p);
  p->refreshes++;
  /* Again while a commit slips in between the note and the snapshot, so that
  ** the note names the snapshot exactly; giving up keeps invariant 1. */
  for (int attempt = 0;; attempt++) {
    memcpy(p->noted, (const void *)p->shm, NL_WALINDEX_HDR);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    int rc = pin(p);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (rc != SQLITE_OK || !p->pinned || attempt == 16 ||
        memcmp((const void *)p->shm, p->noted, NL_WALINDEX_HDR) == 0)
      return rc;
    nl_snapshot_drop(port);
  }
}

/*
** When a reader moves to a new snapshot SQLite unmaps the database file, and
** every page it then touches is a page fault: a reader beside a busy writer
** spends its time there.  The mapping itself is as good as before, so
** keep_unfetch keeps it unless the file's size changed.
*/
int nl_keep_mapping(uintptr_t port) {
  nl_port *p = (nl_port *)port;
  sqlite3_file *f = database_file(p);
  if (f == NULL || f->pMethods->iVersion < 3 || f->pMethods->xUnfetch == NULL) return SQLITE_NOTFOUND;
  int rc = watch(p, f);
  if (rc == SQLITE_OK) p->file->keep = 1;
  return rc;
}

/* Flushes the database file through this connection's own descriptor.  Opening
** the file for it would be fatal: closing any descriptor of a file drops the
** process's POSIX locks on it. */
int nl_sync_database(uintptr_t port) {
  sqlite3_file *f = database_file((nl_port *)port);
  if (f == NULL) return SQLITE_NOTFOUND;
  return f->pMethods->xSync(f, 2 /* SQLITE_SYNC_NORMAL */);
}
