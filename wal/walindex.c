#include "walindex.h"

enum {
  PAGES = 4096,
  FIRST_PAGES = 4062,
  MULTIPLIER = 383,
  READONLY = 8, /* said of a block that is there, but only to be read */
};

unsigned walindex_of(unsigned frame) { return (frame + PAGES - FIRST_PAGES - 1) / PAGES; }

unsigned walindex_first(unsigned page) { return page * MULTIPLIER & (WALINDEX_PLACES - 1); }

unsigned walindex_next(unsigned place) { return (place + 1) & (WALINDEX_PLACES - 1); }

int walindex_map(sqlite3_file *database, unsigned number, int extend, walindex_block *b) {
  void volatile *at = 0;
  int rc = database->pMethods->xShmMap(database, (int)number, WALINDEX_BLOCK, extend, &at);
  if (rc == READONLY && !extend) rc = SQLITE_OK;
  if (rc != SQLITE_OK) return rc;
  if (at == 0) return SQLITE_PROTOCOL;
  volatile char *p = at;
  b->pages = (volatile unsigned *)(number == 0 ? p + WALINDEX_SKIP : p);
  b->hash = (volatile unsigned short *)(p + WALINDEX_BLOCK - WALINDEX_PLACES * 2);
  b->before = number == 0 ? 0 : FIRST_PAGES + (number - 1) * PAGES;
  b->size = number == 0 ? FIRST_PAGES : PAGES;
  return SQLITE_OK;
}
