/* A VFS that asks Go before a commit becomes visible. barrier.go tells what for;
** here is only what has to be C. */
#ifndef NEARLITE_BARRIER_H
#define NEARLITE_BARRIER_H
#include "capi.h"

/* What Go says of a commit. */
enum { BARRIER_OK = 0, BARRIER_REFUSED = 1, BARRIER_UNKNOWN = 2 };

/* A commit in the WAL. */
typedef struct barrier_commit {
  sqlite3_int64 start; /* of its first frame's header */
  sqlite3_int64 end;   /* behind the frame that commits */
  int page;            /* bytes */
  unsigned pages;      /* size of the database after it */
  unsigned salt1, salt2;
  unsigned sum1, sum2;     /* of the frame that commits */
  const unsigned *numbers; /* the page of each frame */
} barrier_commit;

/* Registers a VFS around the one named base, or the default one if that is NULL;
** NULL when there is no such VFS or no memory. */
sqlite3_vfs *barrier_register(const char *name, const char *base, uintptr_t handle);
/* Takes it out and frees it. No file of it may be open. */
void barrier_unregister(sqlite3_vfs *);
/* A transaction was rolled back: what it wrote is of no account, and is cut off if
** a recovery would think otherwise. */
int barrier_rolled_back(sqlite3_vfs *);

/* The real file under a WAL, for use inside the barrier. */
int barrier_read(void *file, void *to, int n, sqlite3_int64 at);
int barrier_sync(void *file);

#endif
