/*
** A port is the memory through which Go and one SQLite connection talk.
**
** Crossing from Go into C costs some 40 ns; a crossing per bind, step and
** column costs more than the statement itself.  So Go writes all arguments of
** an execution into `args`, crosses once, and C binds, steps, resets and
** leaves the outcome in the fields below and the rows in a block.  All of it is
** C memory: no Go pointer crosses, so cgo has nothing to check or to pin.
**
** One goroutine at a time may use a port; who, is the caller's business.
*/
#ifndef NEARLITE_PORT_H
#define NEARLITE_PORT_H
#include "capi.h"
#include <pthread.h>

/* The first 48 bytes of the wal-index are its header, copy 0 of two:
** https://sqlite.org/walformat.html#the_wal_index_file_format */
#define NL_WALINDEX_HDR 48

/* One argument or one column.  For TEXT and BLOB, u.i is the offset of the
** bytes from the start of the args buffer (arguments) or the address of the
** bytes (columns). NL_OWNED marks an argument's bytes as a sqlite3_malloc64
** allocation at address u.i that SQLite is to free. */
typedef struct nl_value {
  int32_t type; /* SQLITE_INTEGER … SQLITE_NULL, NL_ZEROBLOB; | NL_OWNED */
  int32_t n;    /* bytes of TEXT and BLOB */
  union {
    int64_t i;
    double d;
  } u;
} nl_value;

#define NL_ZEROBLOB 6
#define NL_OWNED 0x100

/* A block of rows.  Each row is ncol values followed by the bytes of its TEXT
** and BLOB columns, 8-byte aligned, and starts where the one before it ends.
** A single row too large for the block leaves its bytes in SQLite's own memory
** (valid until the statement moves), and is the only row of its block. */
typedef struct nl_block {
  unsigned char *mem;
  int32_t cap;   /* bytes in mem */
  int32_t used;  /* bytes filled */
  int32_t nrow;  /* rows added by the last fetch */
  int32_t start; /* offset of the first of them */
  int32_t ncol;  /* columns of each */
} nl_block;

/* One statement of a batch: its arguments start at byte `args` of the args buffer. */
typedef struct nl_op {
  sqlite3_stmt *stmt;
  int64_t args;
  int32_t nargs;
  int32_t pad;
  int64_t changes, rowid; /* out */
} nl_op;

typedef struct nl_file nl_file; /* snapshot.c */

typedef struct nl_port {
  sqlite3 *db;
  unsigned char *args; /* nl_value[nargs], then the bytes they point at */
  int64_t args_cap;

  /* The outcome of the last call. */
  int32_t rc;          /* SQLITE_OK or the error */
  int32_t more;        /* nl_query, nl_fetch: NL_END … NL_FAILED */
  int32_t autocommit;  /* 1: no transaction is open (any more) */
  int32_t deferred_fk; /* 1: a deferred foreign key is violated at this moment */
  int32_t prepared;    /* nl_query: how often SQLite had prepared the statement */
  int32_t failed;      /* set by a callback that cannot say otherwise that it failed */
  int32_t failed_op;   /* nl_batch: index of the statement that failed */
  int32_t changed;     /* 1: rows were changed, also by triggers and before a failure */
  int64_t changes;     /* rows changed by the statement itself, 0 if it is no DML */
  int64_t rowid;       /* last_insert_rowid */
  int64_t total;       /* total_changes, to tell whether the next execution adds to it */

  /* The held snapshot; see snapshot.c. */
  sqlite3_stmt *pin;
  volatile unsigned char *shm;
  int32_t pinned;
  int32_t refreshes;   /* snapshots taken so far; wraps */
  unsigned char noted[NL_WALINDEX_HDR];
  nl_file *file;
  int64_t poll_us; /* nl_busy_poll: how long */

  /* See pause.c. */
  int32_t paused;
  pthread_mutex_t lock;
  pthread_cond_t go;
} nl_port;

/* What became of the statement after a block was filled. */
#define NL_END 0      /* it ended, or failed, and was reset */
#define NL_PENDING 1  /* its current row found no room and comes first next time */
#define NL_IN_PLACE 2 /* its current row is the block's only one, bytes left in SQLite's memory */
#define NL_FAILED 3   /* it failed after the block's rows; nl_end returns the error */

/* Flags of nl_query and nl_fetch */
#define NL_FRESH 1  /* move to the newest snapshot first, if there is a newer one */
#define NL_ONE 2    /* one row is enough: reset after it */
#define NL_AT_ROW 4 /* nl_fetch: begin with the row that found no room */
#define NL_TAIL 8   /* leave the bytes of the last column in SQLite's memory unless they are few */

nl_port *nl_port_new(void);
void nl_port_free(nl_port *);

/* Binds nargs arguments, runs the statement to its end, resets it. */
int nl_exec(uintptr_t port, uintptr_t stmt, int nargs);
/* Runs n operations until one fails; p->failed_op names it. */
int nl_batch(uintptr_t port, uintptr_t ops, int n);
/* Binds, steps, and appends rows to the block until it is full or the
** statement ends or fails; p->more says which.  The block must have room for
** the values of one row. */
int nl_query(uintptr_t port, uintptr_t stmt, int nargs, uintptr_t block, int flags);
/* Goes on where nl_query stopped. */
int nl_fetch(uintptr_t port, uintptr_t stmt, uintptr_t block, int flags);
/* Ends a statement that has rows left. */
int nl_end(uintptr_t port, uintptr_t stmt);

/* The text of a float, as a cast makes it; returns its length. */
int nl_format_float(double f, char *buf, int size);

/* snapshot.c */
int nl_snapshot_refresh(uintptr_t port); /* see NL_FRESH */
void nl_snapshot_drop(uintptr_t port);
void nl_end_statements(uintptr_t port);
void nl_drop_pin(uintptr_t port);
int nl_keep_mapping(uintptr_t port);
int nl_map_walindex(uintptr_t port);
int nl_sync_database(uintptr_t port);
void nl_busy_poll(uintptr_t port, int64_t us);

/* costly.c */
int nl_bound_functions(uintptr_t port);

/* tempfiles.c */
void nl_set_temp_files(int64_t bytes);
int64_t nl_temp_files(void);

/* pause.c */
void nl_pausable(uintptr_t port);
void nl_pause(uintptr_t port, int paused);
void nl_interrupt(uintptr_t port);

/* memory.c */
#define NL_LARGE (128 << 10) /* pieces from this size on are counted */
int nl_bound_memory(void);   /* before the library is initialized */
void nl_set_memory(int64_t bytes);
int64_t nl_memory(void);

#endif
