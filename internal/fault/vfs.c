#include "vfs.h"
#include "_cgo_export.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One file: ours first, the real one behind it in the same memory. */
typedef struct fault_file {
  sqlite3_file base;
  uintptr_t handle;
  int kind;
  int64_t id; /* Go's number for it; 0 when Go does not follow its content */
  sqlite3_file *real;
} fault_file;

typedef struct fault_vfs {
  sqlite3_vfs base;
  sqlite3_vfs *real;
  uintptr_t handle;
} fault_vfs;

#define REAL(f) (((fault_file *)(f))->real)
#define CALL(f, method, ...) REAL(f)->pMethods->method(REAL(f), ##__VA_ARGS__)

/* Go's answer holds the result code and, above it, the errno behind it. */
static int outcome(int answer) {
  if (answer >> 16) errno = answer >> 16;
  return answer & 0xffff;
}

static int before(sqlite3_file *f, int op) {
  fault_file *k = (fault_file *)f;
  return outcome(goFaultBefore(k->handle, op, k->kind));
}

static int after(sqlite3_file *f, int op) {
  fault_file *k = (fault_file *)f;
  return outcome(goFaultAfter(k->handle, op, k->kind));
}

static int f_close(sqlite3_file *f) { return CALL(f, xClose); }

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) {
  int rc = before(f, OP_READ);
  return rc != SQLITE_OK ? rc : CALL(f, xRead, p, n, at);
}

static int put(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
  fault_file *k = (fault_file *)f;
  int rc = CALL(f, xWrite, p, n, at);
  if (rc == SQLITE_OK && k->id != 0) goFaultWrote(k->handle, k->id, (void *)p, n, at);
  return rc;
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
  fault_file *k = (fault_file *)f;
  int torn = 0;
  int answer = goFaultBeforeWrite(k->handle, k->kind, n, &torn);
  if (answer != SQLITE_OK) {
    if (torn > 0) put(f, p, torn, at);
    return outcome(answer);
  }
  int rc = put(f, p, n, at);
  return rc != SQLITE_OK ? rc : after(f, OP_WRITE);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size) {
  fault_file *k = (fault_file *)f;
  int rc = before(f, OP_TRUNCATE);
  if (rc == SQLITE_OK) rc = CALL(f, xTruncate, size);
  if (rc != SQLITE_OK) return rc;
  if (k->id != 0) goFaultCut(k->handle, k->id, size);
  return after(f, OP_TRUNCATE);
}

static int f_sync(sqlite3_file *f, int flags) {
  fault_file *k = (fault_file *)f;
  int rc = before(f, OP_SYNC);
  if (rc != SQLITE_OK) return rc;
  int64_t written = k->id != 0 ? goFaultSyncing(k->handle, k->id) : 0;
  rc = CALL(f, xSync, flags);
  if (rc != SQLITE_OK) return rc;
  if (k->id != 0) goFaultSynced(k->handle, k->id, written);
  return after(f, OP_SYNC);
}

static int f_size(sqlite3_file *f, sqlite3_int64 *size) { return CALL(f, xFileSize, size); }
static int f_lock(sqlite3_file *f, int level) { return CALL(f, xLock, level); }
static int f_unlock(sqlite3_file *f, int level) { return CALL(f, xUnlock, level); }
static int f_reserved(sqlite3_file *f, int *out) { return CALL(f, xCheckReservedLock, out); }
static int f_control(sqlite3_file *f, int op, void *arg) { return CALL(f, xFileControl, op, arg); }
static int f_sector(sqlite3_file *f) { return CALL(f, xSectorSize); }
static int f_device(sqlite3_file *f) { return CALL(f, xDeviceCharacteristics); }
static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
  return CALL(f, xShmMap, page, size, extend, out);
}
static int f_shm_lock(sqlite3_file *f, int at, int n, int flags) { return CALL(f, xShmLock, at, n, flags); }
static void f_shm_barrier(sqlite3_file *f) { CALL(f, xShmBarrier); }
static int f_shm_unmap(sqlite3_file *f, int delete) { return CALL(f, xShmUnmap, delete); }
static int f_fetch(sqlite3_file *f, sqlite3_int64 at, int n, void **out) { return CALL(f, xFetch, at, n, out); }
static int f_unfetch(sqlite3_file *f, sqlite3_int64 at, void *p) { return CALL(f, xUnfetch, at, p); }

#define METHODS(version) \
  {version, f_close, f_read, f_write, f_truncate, f_sync, f_size, f_lock, f_unlock, f_reserved, f_control, f_sector, \
   f_device, f_shm_map, f_shm_lock, f_shm_barrier, f_shm_unmap, f_fetch, f_unfetch}

/* A file offers what the real one offers. */
static const sqlite3_io_methods methods[] = {METHODS(1), METHODS(2), METHODS(3)};

static int file_kind(int flags) {
  if (flags & SQLITE_OPEN_MAIN_DB) return FILE_DATABASE;
  return flags & SQLITE_OPEN_WAL ? FILE_WAL : FILE_OTHER;
}

static int path_kind(const char *path) {
  size_t n = strlen(path);
  if (n > 4 && strcmp(path + n - 4, "-wal") == 0) return FILE_WAL;
  if (n > 8 && strcmp(path + n - 8, "-journal") == 0) return FILE_OTHER;
  return FILE_DATABASE;
}

static int v_open(sqlite3_vfs *v, sqlite3_filename path, sqlite3_file *f, int flags, int *out) {
  fault_vfs *k = (fault_vfs *)v;
  fault_file *file = (fault_file *)f;
  memset(file, 0, sizeof *file);
  file->handle = k->handle;
  file->kind = file_kind(flags);
  file->real = (sqlite3_file *)&file[1];
  int rc = before(f, OP_OPEN);
  if (rc == SQLITE_OK) rc = k->real->xOpen(k->real, path, file->real, flags, out);
  if (rc != SQLITE_OK || file->real->pMethods == NULL) return rc;
  int version = file->real->pMethods->iVersion;
  f->pMethods = &methods[version > 3 ? 2 : version - 1];
  if (path != NULL && file->kind != FILE_OTHER) file->id = goFaultOpened(k->handle, (char *)path);
  return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *v, const char *path, int dir) {
  fault_vfs *k = (fault_vfs *)v;
  int rc = outcome(goFaultBefore(k->handle, OP_DELETE, path_kind(path)));
  if (rc == SQLITE_OK) rc = k->real->xDelete(k->real, path, dir);
  if (rc == SQLITE_OK) goFaultDeleted(k->handle, (char *)path);
  return rc;
}

#define PASS(v) (((fault_vfs *)(v))->real)
static int v_access(sqlite3_vfs *v, const char *path, int flags, int *out) { return PASS(v)->xAccess(PASS(v), path, flags, out); }
static int v_full(sqlite3_vfs *v, const char *path, int n, char *out) { return PASS(v)->xFullPathname(PASS(v), path, n, out); }
static int v_random(sqlite3_vfs *v, int n, char *out) { return PASS(v)->xRandomness(PASS(v), n, out); }
static int v_sleep(sqlite3_vfs *v, int us) { return PASS(v)->xSleep(PASS(v), us); }
static int v_time(sqlite3_vfs *v, double *out) { return PASS(v)->xCurrentTime(PASS(v), out); }
static int v_error(sqlite3_vfs *v, int n, char *out) { return PASS(v)->xGetLastError(PASS(v), n, out); }
static int v_time64(sqlite3_vfs *v, sqlite3_int64 *out) { return PASS(v)->xCurrentTimeInt64(PASS(v), out); }

sqlite3_vfs *fault_register(const char *name, uintptr_t handle) {
  if (sqlite3_initialize() != SQLITE_OK) return NULL;
  fault_vfs *k = calloc(1, sizeof *k);
  if (k == NULL) return NULL;
  k->real = sqlite3_vfs_find(NULL);
  k->handle = handle;
  sqlite3_vfs *v = &k->base;
  v->iVersion = 2;
  v->szOsFile = (int)sizeof(fault_file) + k->real->szOsFile;
  v->mxPathname = k->real->mxPathname;
  v->zName = strdup(name);
  v->xOpen = v_open;
  v->xDelete = v_delete;
  v->xAccess = v_access;
  v->xFullPathname = v_full;
  v->xRandomness = v_random;
  v->xSleep = v_sleep;
  v->xCurrentTime = v_time;
  v->xGetLastError = v_error;
  v->xCurrentTimeInt64 = v_time64;
  if (sqlite3_vfs_register(v, 0) != SQLITE_OK) {
    free((char *)v->zName);
    free(k);
    return NULL;
  }
  return v;
}

void fault_unregister(sqlite3_vfs *v) {
  sqlite3_vfs_unregister(v);
  free((char *)v->zName);
  free(v);
}
