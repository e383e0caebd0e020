#include "inject.h"
#include <string.h>

/* The layout of the wal-index: https://sqlite.org/walformat.html#walidxfmt
** Blocks of 32 KiB, each with the page numbers of 4,096 frames (4,062 in the
** first, behind the header and the locks) and a hash table of 8,192 places that
** finds a frame by its page. Native byte order. */
enum {
  BLOCK = 32768,
  BLOCK_PAGES = 4096,
  FIRST_PAGES = 4062,
  FIRST_SKIP = 136, /* bytes before the first block's page numbers */
  PLACES = 8192,
  MULTIPLIER = 383,
};

int inject_begin(sqlite3 *db, inject *i, void *header, sqlite3_int64 *size) {
  void volatile *at = 0;
  int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &i->database);
  if (rc == SQLITE_OK) rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &i->wal);
  if (rc != SQLITE_OK) return rc;
  if (i->database->pMethods == 0 || i->wal->pMethods == 0 || i->database->pMethods->iVersion < 2) return SQLITE_MISUSE;
  rc = i->database->pMethods->xShmMap(i->database, 0, BLOCK, 1, &at);
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

/* One block: where its page numbers are, how many fit, and the frame before the
** first of them. */
typedef struct block {
  volatile unsigned *pages;
  volatile unsigned short *hash;
  unsigned before;
  unsigned size;
} block;

static int find_block(inject *i, unsigned frame, block *b) {
  int n = (int)((frame + BLOCK_PAGES - FIRST_PAGES - 1) / BLOCK_PAGES);
  void volatile *at = 0;
  int rc = i->database->pMethods->xShmMap(i->database, n, BLOCK, 1, &at);
  if (rc != SQLITE_OK) return rc;
  if (at == 0) return SQLITE_PROTOCOL;
  volatile char *p = at;
  b->pages = (volatile unsigned *)(n == 0 ? p + FIRST_SKIP : p);
  b->hash = (volatile unsigned short *)(p + BLOCK - PLACES * 2);
  b->before = n == 0 ? 0 : FIRST_PAGES + (unsigned)(n - 1) * BLOCK_PAGES;
  b->size = n == 0 ? FIRST_PAGES : BLOCK_PAGES;
  return SQLITE_OK;
}

/* Removes what a transaction that never committed has left behind frame number
** last of its block. Readers see nothing of it: their frames end before. */
static void clean(block *b, unsigned last) {
  for (int k = 0; k < PLACES; k++)
    if (b->hash[k] > last) b->hash[k] = 0;
  for (unsigned k = last; k < b->size; k++) b->pages[k] = 0;
}

int inject_index(inject *i, unsigned first, int n, const unsigned *pages) {
  for (int k = 0; k < n; k++) {
    unsigned frame = first + (unsigned)k;
    block b;
    int rc = find_block(i, frame, &b);
    if (rc != SQLITE_OK) return rc;
    unsigned at = frame - b.before; /* from 1, as the hash table counts */
    if (at == 1 || b.pages[at - 1] != 0) clean(&b, at - 1);
    unsigned key = pages[k] * MULTIPLIER & (PLACES - 1);
    for (int tries = 0; b.hash[key] != 0; tries++) {
      if (tries == PLACES) return SQLITE_CORRUPT; /* it is half empty by construction */
      key = (key + 1) & (PLACES - 1);
    }
    b.pages[at - 1] = pages[k];
    __atomic_store_n(&b.hash[key], (unsigned short)at, __ATOMIC_RELEASE);
  }
  return SQLITE_OK;
}

int inject_publish(inject *i, const void *header) {
  void volatile *at = 0;
  int rc = i->database->pMethods->xShmMap(i->database, 0, BLOCK, 1, &at);
  if (rc != SQLITE_OK) return rc;
  /* The second copy, then the first: who finds them equal has a whole one. */
  memcpy((char *)at + WALINDEX_HEADER, header, WALINDEX_HEADER);
  i->database->pMethods->xShmBarrier(i->database);
  memcpy((void *)at, header, WALINDEX_HEADER);
  return SQLITE_OK;
}
