#include "barrier.h"
#include "_cgo_export.h"
#include <stdlib.h>
#include <string.h>

enum { WAL_HEADER = 32, FRAME_HEADER = 24 };

/* The frames that the open transaction has written, as far as they count: from
** the first one's header to the end of the one that commits. A transaction may
** write a frame twice, and more frames than it keeps: pages that left the cache
** before a ROLLBACK TO stay behind the commit. So the end is where a header says
** how large the database is, not where the last byte was written. */
typedef struct pending {
  sqlite3_int64 start; /* -1: nothing was written */
  sqlite3_int64 next;  /* behind the frame whose header was written last */
  sqlite3_int64 end;   /* -1: no frame that commits */
  unsigned pages;      /* size of the database after the commit */
} pending;

static const pending nothing = {-1, -1, -1, 0};

typedef struct barrier_vfs {
  sqlite3_vfs base;
  sqlite3_vfs *real;
  uintptr_t handle;
  pending pending; /* one connection writes, so one will do */
  char name[1];
} barrier_vfs;

/* A WAL: ours first, the real file behind it in the same memory. */
typedef struct wal_file {
  sqlite3_file base;
  barrier_vfs *vfs;
  int page; /* bytes; 0 while the file has no header */
  sqlite3_file *real;
} wal_file;

#define REAL(f) (((wal_file *)(f))->real)
#define CALL(f, method, ...) REAL(f)->pMethods->method(REAL(f), ##__VA_ARGS__)

static unsigned get4(const unsigned char *p) {
  return (unsigned)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static int w_close(sqlite3_file *f) { return CALL(f, xClose); }
static int w_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) { return CALL(f, xRead, p, n, at); }
static int w_size(sqlite3_file *f, sqlite3_int64 *n) { return CALL(f, xFileSize, n); }
static int w_lock(sqlite3_file *f, int l) { return CALL(f, xLock, l); }
static int w_unlock(sqlite3_file *f, int l) { return CALL(f, xUnlock, l); }
static int w_reserved(sqlite3_file *f, int *out) { return CALL(f, xCheckReservedLock, out); }
static int w_control(sqlite3_file *f, int op, void *arg) { return CALL(f, xFileControl, op, arg); }
static int w_sector(sqlite3_file *f) { return CALL(f, xSectorSize); }
static int w_device(sqlite3_file *f) { return CALL(f, xDeviceCharacteristics); }

static int w_truncate(sqlite3_file *f, sqlite3_int64 size) {
  ((wal_file *)f)->vfs->pending = nothing;
  return CALL(f, xTruncate, size);
}

static int w_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at) {
  wal_file *w = (wal_file *)f;
  pending *p = &w->vfs->pending;
  int rc = CALL(f, xWrite, data, n, at);
  if (rc != SQLITE_OK) return rc;
  if (at == 0 && n == WAL_HEADER) { /* the WAL begins again */
    w->page = (int)get4((const unsigned char *)data + 8);
    *p = nothing;
  } else if (n == FRAME_HEADER && w->page != 0) { /* no page is so small */
    sqlite3_int64 behind = at + FRAME_HEADER + w->page;
    unsigned pages = get4((const unsigned char *)data + 4);
    /* Somewhere else than where the transaction goes on or writes again: what
    ** was there before belongs to one that was rolled back. */
    if (p->start < 0 || at < p->start || at > p->next) *p = (pending){at, behind, -1, 0};
    p->next = behind;
    if (at == p->start) p->end = -1;
    if (pages != 0) {
      p->end = behind;
      p->pages = pages;
    }
  }
  return SQLITE_OK;
}

static int w_sync(sqlite3_file *f, int flags) {
  wal_file *w = (wal_file *)f;
  pending p = w->vfs->pending;
  if (p.start < 0 || p.end < 0) return CALL(f, xSync, flags); /* of the header, or before a checkpoint */
  w->vfs->pending = nothing;
  int said = goBarrierCommit(w->vfs->handle, f, p.start, p.end, p.pages, w->page);
  if (said == BARRIER_OK) return SQLITE_OK;
  if (said == BARRIER_REFUSED) {
    /* SQLite rolls back, but the frames would be good ones after a crash. */
    int rc = CALL(f, xTruncate, p.start);
    if (rc == SQLITE_OK) rc = CALL(f, xSync, SQLITE_SYNC_NORMAL);
    if (rc != SQLITE_OK) goBarrierNotCut(w->vfs->handle, rc);
  }
  return SQLITE_IOERR_FSYNC;
}

static const sqlite3_io_methods methods = {
    1, w_close, w_read, w_write, w_truncate, w_sync, w_size, w_lock, w_unlock, w_reserved, w_control, w_sector, w_device,
    0, 0, 0, 0, 0, 0};

static int v_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
  barrier_vfs *b = (barrier_vfs *)v;
  if (!(flags & SQLITE_OPEN_WAL)) return b->real->xOpen(b->real, name, f, flags, out);
  wal_file *w = (wal_file *)f;
  memset(w, 0, sizeof *w);
  w->vfs = b;
  w->real = (sqlite3_file *)(w + 1);
  int rc = b->real->xOpen(b->real, name, w->real, flags, out);
  if (w->real->pMethods != 0) w->base.pMethods = &methods; /* then SQLite closes it, even after an error */
  if (rc != SQLITE_OK) return rc;
  unsigned char header[WAL_HEADER];
  sqlite3_int64 size = 0;
  if (CALL(f, xFileSize, &size) == SQLITE_OK && size >= WAL_HEADER && CALL(f, xRead, header, WAL_HEADER, 0) == SQLITE_OK)
    w->page = (int)get4(header + 8);
  b->pending = nothing;
  return SQLITE_OK;
}

/* Everything but xOpen is the real VFS's own, which must see itself. */
#define PASS(v) (((barrier_vfs *)(v))->real)
static int v_delete(sqlite3_vfs *v, const char *n, int s) { return PASS(v)->xDelete(PASS(v), n, s); }
static int v_access(sqlite3_vfs *v, const char *n, int f, int *o) { return PASS(v)->xAccess(PASS(v), n, f, o); }
static int v_full(sqlite3_vfs *v, const char *n, int l, char *o) { return PASS(v)->xFullPathname(PASS(v), n, l, o); }
static int v_random(sqlite3_vfs *v, int n, char *o) { return PASS(v)->xRandomness(PASS(v), n, o); }
static int v_sleep(sqlite3_vfs *v, int us) { return PASS(v)->xSleep(PASS(v), us); }
static int v_time(sqlite3_vfs *v, double *o) { return PASS(v)->xCurrentTime(PASS(v), o); }
static int v_error(sqlite3_vfs *v, int n, char *o) { return PASS(v)->xGetLastError(PASS(v), n, o); }
static int v_time64(sqlite3_vfs *v, sqlite3_int64 *o) { return PASS(v)->xCurrentTimeInt64(PASS(v), o); }

sqlite3_vfs *barrier_register(const char *name, const char *base, uintptr_t handle) {
  if (sqlite3_initialize() != SQLITE_OK) return 0;
  sqlite3_vfs *real = sqlite3_vfs_find(base);
  size_t n = strlen(name);
  barrier_vfs *b = real == 0 ? 0 : calloc(1, sizeof *b + n);
  if (b == 0) return 0;
  memcpy(b->name, name, n + 1);
  b->real = real;
  b->handle = handle;
  b->pending = nothing;
  b->base.iVersion = 2;
  b->base.szOsFile = (int)sizeof(wal_file) + real->szOsFile;
  b->base.mxPathname = real->mxPathname;
  b->base.zName = b->name;
  b->base.xOpen = v_open;
  b->base.xDelete = v_delete;
  b->base.xAccess = v_access;
  b->base.xFullPathname = v_full;
  b->base.xRandomness = v_random;
  b->base.xSleep = v_sleep;
  b->base.xCurrentTime = v_time;
  b->base.xGetLastError = v_error;
  b->base.xCurrentTimeInt64 = real->iVersion >= 2 ? v_time64 : 0;
  if (b->base.xCurrentTimeInt64 == 0) b->base.iVersion = 1;
  if (sqlite3_vfs_register(&b->base, 0) != SQLITE_OK) {
    free(b);
    return 0;
  }
  return &b->base;
}

void barrier_unregister(sqlite3_vfs *v) {
  sqlite3_vfs_unregister(v);
  free(v);
}

void barrier_rolled_back(sqlite3_vfs *v) { ((barrier_vfs *)v)->pending = nothing; }

int barrier_read(void *file, void *to, int n, sqlite3_int64 at) {
  return CALL(file, xRead, to, n, at);
}

int barrier_sync(void *file) { return CALL(file, xSync, SQLITE_SYNC_NORMAL); }
