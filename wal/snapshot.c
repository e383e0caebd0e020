#include "snapshot.h"

enum { SALTS = 32, SHORT_READ = SQLITE_IOERR | (2 << 8) };

int snapshot_open(sqlite3 *db, snapshot *s) {
  walindex_block first;
  int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &s->database);
  if (rc == SQLITE_OK) rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &s->wal);
  if (rc != SQLITE_OK) return rc;
  if (s->database->pMethods == 0 || s->wal == 0 || s->wal->pMethods == 0 || s->database->pMethods->iVersion < 2) return SQLITE_MISUSE;
  rc = walindex_map(s->database, 0, 0, &first);
  if (rc == SQLITE_OK) s->salts = (const volatile unsigned *)((const volatile char *)first.pages - WALINDEX_SKIP + SALTS);
  return rc;
}

int snapshot_stands(const snapshot *s, unsigned salt1, unsigned salt2) {
  s->database->pMethods->xShmBarrier(s->database);
  return __atomic_load_n(&s->salts[0], __ATOMIC_ACQUIRE) == salt1 && __atomic_load_n(&s->salts[1], __ATOMIC_ACQUIRE) == salt2;
}

/* The last frame of a page in one block. What a writer enters meanwhile is of frames
** behind the last, and what it removes as well, so that no chain of ours breaks. */
static int find_in(const walindex_block *b, unsigned last, unsigned page, unsigned *frame) {
  unsigned at, key = walindex_first(page);
  for (int tries = 0; (at = __atomic_load_n(&b->hash[key], __ATOMIC_ACQUIRE)) != 0; tries++) {
    if (tries == WALINDEX_PLACES) return SQLITE_CORRUPT;
    if (at <= b->size && b->before + at <= last && b->before + at > *frame && b->pages[at - 1] == page) *frame = b->before + at;
    key = walindex_next(key);
  }
  return SQLITE_OK;
}

int snapshot_find(const snapshot *s, unsigned last, int n, const unsigned *pages, unsigned *frames) {
  int left = n;
  for (int number = (int)walindex_of(last); number >= 0 && left > 0; number--) {
    walindex_block b;
    int rc = walindex_map(s->database, (unsigned)number, 0, &b);
    if (rc != SQLITE_OK) return rc;
    for (int i = 0; i < n; i++) {
      if (frames[i] != 0) continue;
      rc = find_in(&b, last, pages[i], &frames[i]);
      if (rc != SQLITE_OK) return rc;
      if (frames[i] != 0) left--;
    }
  }
  return SQLITE_OK;
}

int snapshot_read_wal(const snapshot *s, void *to, int n, sqlite3_int64 at) {
  return s->wal->pMethods->xRead(s->wal, to, n, at);
}

int snapshot_read_file(const snapshot *s, void *to, int n, sqlite3_int64 at) {
  int rc = s->database->pMethods->xRead(s->database, to, n, at);
  return rc == SHORT_READ ? SQLITE_OK : rc; /* it has filled up with zeros */
}
