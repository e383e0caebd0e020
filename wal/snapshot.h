/* The frames and the file of a connection that holds a read transaction. snapshot.go
** says why they are right. */
#ifndef NEARLITE_SNAPSHOT_H
#define NEARLITE_SNAPSHOT_H
#include "walindex.h"

typedef struct snapshot {
  sqlite3_file *database; /* whose VFS has the shared memory */
  sqlite3_file *wal;
  const volatile unsigned *salts; /* two, in the shared header */
} snapshot;

int snapshot_open(sqlite3 *, snapshot *);
/* Whether the WAL has not begun again since it had these salts. What was read
** before is good then. */
int snapshot_stands(const snapshot *, unsigned salt1, unsigned salt2);
/* Finds for n pages the last frame each that is not behind the one called last, and
** leaves 0 where there is none. */
int snapshot_find(const snapshot *, unsigned last, int n, const unsigned *pages, unsigned *frames);
/* Reads bytes of the WAL. */
int snapshot_read_wal(const snapshot *, void *to, int n, sqlite3_int64 at);
/* Reads bytes of the database file, and zeros behind its end. */
int snapshot_read_file(const snapshot *, void *to, int n, sqlite3_int64 at);

#endif
