/* Pages into the WAL of an open database, and its wal-index: what only C can
** reach. inject.go has the order of things and builds the frames. */
#ifndef NEARLITE_INJECT_H
#define NEARLITE_INJECT_H
#include "walindex.h"

/* The files of a connection that holds the write lock. */
typedef struct inject {
  sqlite3_file *database; /* whose VFS has the shared memory */
  sqlite3_file *wal;
} inject;

/* Finds the files and reads the first copy of the wal-index header, and the size
** of the database file. */
int inject_begin(sqlite3 *, inject *, void *header, sqlite3_int64 *size);
int inject_write(inject *, const void *data, int n, sqlite3_int64 at);
int inject_sync(inject *);
/* Enters n frames, from number first on, into the wal-index: page numbers and
** hash tables. Nobody looks there before the header names the frames. */
int inject_index(inject *, unsigned first, int n, const unsigned *pages);
/* Publishes a header. */
int inject_publish(inject *, const void *header);

#endif
