#include "inject.h"
#include <string.h>

int inject_begin(sqlite3 *db, inject *i, void *header, sqlite3_int64 *size) {
  void volatile *at = 0;
  int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &i->database);
  if (rc == SQLITE_OK) rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &i->wal);
  if (rc != SQLITE_OK) return rc;
  if (i->database->pMethods == 0 || i->wal->pMethods == 0 || i->database->pMethods->iVersion < 2) return SQLITE_MISUSE;
  rc = i->database->pMethods->xShmMap(i->database, 0, WALINDEX_BLOCK, 1, &at);
  if (rc == SQLITE_OK && at == 0) rc = SQLITE_PROTOCOL;
  if (rc == SQLITE_OK) memcpy(header, (const void *)at, WALINDEX_HEADER);
  return rc == SQLITE_OK ? i->database->pMethods->xFileSize(i->database, size) : rc;
}

/* unixWrite takes 128 KiB less one byte at a time, and of twice that, for example,
** writes nothing and says that the disk is full. */
enum { WRITE_MOST = 65536 };

int inject_write(inject *i, const void *data, int n, sqlite3_int64 at) {
  const char *p = data;
  for (int k; n > 0; n -= k, p += k, at += k) {
    k = n < WRITE_MOST ? n : WRITE_MOST;
    int rc = i->wal->pMethods->xWrite(i->wal, p, k, at);
    if (rc != SQLITE_OK) return rc;
  }
  return SQLITE_OK;
}

int inject_sync(inject *i) { return i->wal->pMethods->xSync(i->wal, SQLITE_SYNC_NORMAL); }

/* Removes what a transaction that never committed has left behind frame number
** last of its block. Readers see nothing of it: their frames end before. */
static void clean(walindex_block *b, unsigned last) {
  for (int k = 0; k < WALINDEX_PLACES; k++)
    if (b->hash[k] > last) b->hash[k] = 0;
  for (unsigned k = last; k < b->size; k++) b->pages[k] = 0;
}

int inject_index(inject *i, unsigned first, int n, const unsigned *pages) {
  for (int k = 0; k < n; k++) {
    unsigned frame = first + (unsigned)k;
    walindex_block b;
    int rc = walindex_map(i->database, walindex_of(frame), 1, &b);
    if (rc != SQLITE_OK) return rc;
    unsigned at = frame - b.before; /* from 1, as the hash table counts */
    if (at == 1 || b.pages[at - 1] != 0) clean(&b, at - 1);
    unsigned key = walindex_first(pages[k]);
    for (int tries = 0; b.hash[key] != 0; tries++) {
      if (tries == WALINDEX_PLACES) return SQLITE_CORRUPT; /* it is half empty by construction */
      key = walindex_next(key);
    }
    b.pages[at - 1] = pages[k];
    __atomic_store_n(&b.hash[key], (unsigned short)at, __ATOMIC_RELEASE);
  }
  return SQLITE_OK;
}

int inject_publish(inject *i, const void *header) {
  void volatile *at = 0;
  int rc = i->database->pMethods->xShmMap(i->database, 0, WALINDEX_BLOCK, 1, &at);
  if (rc != SQLITE_OK) return rc;
  /* The second copy, then the first: who finds them equal has a whole one. */
  memcpy((char *)at + WALINDEX_HEADER, header, WALINDEX_HEADER);
  i->database->pMethods->xShmBarrier(i->database);
  memcpy((void *)at, header, WALINDEX_HEADER);
  return SQLITE_OK;
}
