/* The C side of the callbacks into Go: thin functions with the types SQLite
** wants, each passing a runtime/cgo handle on. A handle of 0 removes. */
#ifndef NEARLITE_HOOKS_H
#define NEARLITE_HOOKS_H
#include "port.h"

int nl_set_authorizer(sqlite3 *, uintptr_t handle);
int nl_set_busy_handler(sqlite3 *, uintptr_t handle);
void nl_set_wal_hook(sqlite3 *, uintptr_t handle);

/* The result of a Go function that failed: u.i and n are the text, the bits from
** 16 on the result code. */
#define NL_ERROR 7

/* What a function of the user's is called for. */
#define NL_CALL 0
#define NL_STEP 1
#define NL_FINAL 2

/* The connection frees the handle when the function is replaced or removed, and
** when this fails. */
int nl_create_function(sqlite3 *, const char *name, int nargs, int flags, uintptr_t handle, int aggregate);
/* The same, but when it fails the handle is the caller's. */
int nl_create_collation(sqlite3 *, const char *name, uintptr_t handle);

#endif
