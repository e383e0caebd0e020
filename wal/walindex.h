/* The layout of the wal-index: https://sqlite.org/walformat.html#walidxfmt
** Blocks of 32 KiB, each with the page numbers of 4,096 frames (4,062 in the
** first, behind the header and the locks) and a hash table of 8,192 places that
** finds a frame by its page. Native byte order. */
#ifndef NEARLITE_WALINDEX_H
#define NEARLITE_WALINDEX_H
#include "capi.h"

enum {
  WALINDEX_HEADER = 48,
  WALINDEX_BLOCK = 32768,
  WALINDEX_SKIP = 136, /* bytes before the first block's page numbers */
  WALINDEX_PLACES = 8192, /* of a block's hash table */
};

/* One block: where its page numbers are, how many fit, and the frame before the
** first of them. */
typedef struct walindex_block {
  volatile unsigned *pages;
  volatile unsigned short *hash; /* frames, counted from 1 within the block; 0: none */
  unsigned before;
  unsigned size;
} walindex_block;

/* The number of the block, from 0, that a frame, from 1, is in. */
unsigned walindex_of(unsigned frame);
/* Maps a block; extend says to make it if it is not there. */
int walindex_map(sqlite3_file *database, unsigned number, int extend, walindex_block *);
/* The place to begin with when a page is looked for, and the one after another. */
unsigned walindex_first(unsigned page);
unsigned walindex_next(unsigned place);

#endif
