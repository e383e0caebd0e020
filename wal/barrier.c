#include "barrier.h"
#include "_cgo_export.h"
#include <stdlib.h>
#include <string.h>

enum { WAL_HEADER = 32, FRAME_HEADER = 24 };

/* Page numbers that are kept between transactions; more are freed. */
enum { NUMBERS_KEPT = 16384 };

typedef struct wal_file wal_file;

/* The frames that the open transaction has written, as far as they count: from
** the first one's header to the end of the one that commits. A transaction may
** write a frame twice, and more frames than it keeps: pages that left the cache
** before a ROLLBACK TO stay behind the commit. So the end is where a header says
** how large the database is, not where the last byte was written. */
typedef struct pending {
  wal_file *file;      /* NULL: nothing was written */
  sqlite3_int64 start;
  sqlite3_int64 next;  /* behind the frame whose header was written last */
  sqlite3_int64 end;   /* -1: no frame that commits */
  int commits;         /* such a frame may lie there, also while its checksums are computed again */
  unsigned char first[FRAME_HEADER];  /* header of the first frame */
  unsigned char commit[FRAME_HEADER]; /* header of the frame that commits */
} pending;

static const pending nothing = {.end = -1};

typedef struct barrier_vfs {
  sqlite3_vfs base;
  sqlite3_vfs *real;
  uintptr_t handle;
  pending pending;   /* one connection writes, so one will do */
  unsigned *numbers; /* the page of each frame from pending.start on */
  size_t room;       /* of them */
  char name[1];
} barrier_vfs;

/* A WAL: ours first, the real file behind it in the same memory. */
struct wal_file {
  sqlite3_file base;
  barrier_vfs *vfs;
  int page;  /* bytes; 0 while the file has no header */
  unsigned salt1, salt2; /* of that header */
  sqlite3_file *real;
};

#define REAL(f) (((wal_file *)(f))->real)
#define CALL(f, method, ...) REAL(f)->pMethods->method(REAL(f), ##__VA_ARGS__)

static unsigned get4(const unsigned char *p) {
  return (unsigned)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static int w_size(sqlite3_file *f, sqlite3_int64 *n) { return CALL(f, xFileSize, n); }
static int w_lock(sqlite3_file *f, int l) { return CALL(f, xLock, l); }
static int w_unlock(sqlite3_file *f, int l) { return CALL(f, xUnlock, l); }
static int w_reserved(sqlite3_file *f, int *out) { return CALL(f, xCheckReservedLock, out); }
static int w_control(sqlite3_file *f, int op, void *arg) { return CALL(f, xFileControl, op, arg); }
static int w_sector(sqlite3_file *f) { return CALL(f, xSectorSize); }
static int w_device(sqlite3_file *f) { return CALL(f, xDeviceCharacteristics); }

/* The transaction is over. */
static void forget(barrier_vfs *b) {
  b->pending = nothing;
  if (b->room > NUMBERS_KEPT) {
    free(b->numbers);
    b->numbers = 0;
    b->room = 0;
  }
}

static void forget_file(wal_file *w) {
  if (w->vfs->pending.file == w) forget(w->vfs);
}

static int keep_number(barrier_vfs *b, size_t at, unsigned number) {
  if (at >= b->room) {
    size_t room = at < 256 ? 512 : 2 * at;
    unsigned *more = realloc(b->numbers, room * sizeof *more);
    if (more == 0) return SQLITE_NOMEM;
    b->numbers = more;
    b->room = room;
  }
  b->numbers[at] = number;
  return SQLITE_OK;
}

/* A frame's header is about to be written. It counts from now on: a write that
** fails may have been done. */
static int note_frame(wal_file *w, const unsigned char *header, sqlite3_int64 at) {
  barrier_vfs *b = w->vfs;
  pending *p = &b->pending;
  int frame = FRAME_HEADER + w->page;
  /* Somewhere else than where the transaction goes on or writes again: what was
  ** there before belongs to one that was rolled back. */
  if (p->file != w || at < p->start || at > p->next) *p = (pending){.file = w, .start = at, .end = -1};
  int rc = keep_number(b, (size_t)((at - p->start) / frame), get4(header));
  if (rc != SQLITE_OK) return rc;
  p->next = at + frame;
  if (at == p->start) {
    p->end = -1;
    memcpy(p->first, header, FRAME_HEADER);
  }
  if (get4(header + 4) != 0) {
    p->end = p->next;
    p->commits = 1;
    memcpy(p->commit, header, FRAME_HEADER);
  }
  return SQLITE_OK;
}

/* Another connection may have written the header of a WAL that was empty. */
static int find_page_size(sqlite3_file *f) {
  unsigned char header[WAL_HEADER];
  int rc = CALL(f, xRead, header, WAL_HEADER, 0);
  if (rc == SQLITE_OK) ((wal_file *)f)->page = (int)get4(header + 8);
  return rc;
}

/* Takes note of a new header, and tells Go BEFORE it is written: from then on the
** frames of the run before are lost to whoever recovers the WAL. After an error SQLite
** comes with it again before any frame: as long as the WAL has none, every transaction
** begins with the header. */
static int begins(wal_file *w, const unsigned char *header) {
  w->page = (int)get4(header + 8);
  w->salt1 = get4(header + 16);
  w->salt2 = get4(header + 20);
  return goBarrierBegan(w->vfs->handle, w->salt1, w->salt2) == BARRIER_OK ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

/* Cuts off what the transaction has written. */
static int cut(wal_file *w) {
  int rc = CALL(w, xTruncate, w->vfs->pending.start);
  if (rc == SQLITE_OK) rc = CALL(w, xSync, SQLITE_SYNC_NORMAL);
  if (rc == SQLITE_OK) forget(w->vfs);
  return rc;
}

/* Something has failed under a COMMIT that may have written all it had to; SQLite
** will roll back. To cut here is to cut under its write lock. If that fails, too,
** barrier_rolled_back tries again. After SQLITE_BUSY a COMMIT can be repeated, and
** needs its frames. */
static int failed(wal_file *w, int rc) {
  pending *p = &w->vfs->pending;
  if (p->file == w && p->commits && (rc & 0xff) != SQLITE_BUSY) cut(w);
  return rc;
}

static int before_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at) {
  wal_file *w = (wal_file *)f;
  int rc = SQLITE_OK;
  if (at < WAL_HEADER) {
    forget_file(w); /* the WAL begins again */
    return at == 0 && n == WAL_HEADER ? begins(w, data) : SQLITE_OK;
  }
  if (n != FRAME_HEADER) return SQLITE_OK; /* no page is so small */
  if (w->page == 0) rc = find_page_size(f);
  return rc == SQLITE_OK ? note_frame(w, data, at) : rc;
}

static int w_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at) {
  int rc = before_write(f, data, n, at);
  if (rc == SQLITE_OK) rc = CALL(f, xWrite, data, n, at);
  return rc == SQLITE_OK ? rc : failed((wal_file *)f, rc);
}

/* A COMMIT reads when it has to compute checksums again. */
static int w_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at) {
  int rc = CALL(f, xRead, to, n, at);
  return rc == SQLITE_OK ? rc : failed((wal_file *)f, rc);
}

static int w_truncate(sqlite3_file *f, sqlite3_int64 size) {
  forget_file((wal_file *)f);
  return CALL(f, xTruncate, size);
}

static int w_close(sqlite3_file *f) {
  forget_file((wal_file *)f);
  return CALL(f, xClose);
}

static int ask(wal_file *w) {
  barrier_vfs *b = w->vfs;
  const pending *p = &b->pending;
  barrier_commit c = {
      .start = p->start,
      .end = p->end,
      .page = w->page,
      .pages = get4(p->commit + 4),
      .salt1 = get4(p->commit + 8),
      .salt2 = get4(p->commit + 12),
      .sum1 = get4(p->commit + 16),
      .sum2 = get4(p->commit + 20),
      .numbers = b->numbers,
  };
  return goBarrierCommit(b->handle, w, &c);
}

static int w_sync(sqlite3_file *f, int flags) {
  wal_file *w = (wal_file *)f;
  barrier_vfs *b = w->vfs;
  if (b->pending.file != w || b->pending.end < 0) return CALL(f, xSync, flags); /* of the header, or before a checkpoint */
  int said = ask(w);
  if (said == BARRIER_REFUSED) {
    /* SQLite rolls back, but the frames would be good ones after a crash. */
    int rc = cut(w);
    if (rc != SQLITE_OK) goBarrierNotCut(b->handle, rc);
  }
  forget(b);
  return said == BARRIER_OK ? SQLITE_OK : SQLITE_IOERR_FSYNC;
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
  sqlite3_int64 size = 0;
  if (CALL(f, xFileSize, &size) == SQLITE_OK && size >= WAL_HEADER) find_page_size(f);
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
  forget(b);
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
  free(((barrier_vfs *)v)->numbers);
  free(v);
}

/* Since the rollback nobody holds the write lock. What somebody else has written
** since begins where ours began. */
static int still_there(const pending *p, int *ours) {
  unsigned char header[FRAME_HEADER];
  sqlite3_int64 size = 0;
  int rc = CALL(p->file, xFileSize, &size);
  *ours = 0;
  if (rc != SQLITE_OK || size < p->start + FRAME_HEADER) return rc;
  rc = CALL(p->file, xRead, header, FRAME_HEADER, p->start);
  *ours = rc == SQLITE_OK && memcmp(header, p->first, FRAME_HEADER) == 0;
  return rc;
}

int barrier_rolled_back(sqlite3_vfs *v) {
  barrier_vfs *b = (barrier_vfs *)v;
  pending *p = &b->pending;
  int rc = SQLITE_OK, ours = 0;
  if (p->file != 0 && p->commits) {
    rc = still_there(p, &ours);
    if (rc == SQLITE_OK && ours) rc = cut(p->file);
  }
  forget(b);
  return rc;
}

int barrier_read(void *file, void *to, int n, sqlite3_int64 at) {
  return CALL(file, xRead, to, n, at);
}

int barrier_sync(void *file) { return CALL(file, xSync, SQLITE_SYNC_NORMAL); }
