/* The C side of the callbacks into Go: thin functions with the types SQLite
** wants, each passing a runtime/cgo handle on. */
#ifndef NEARLITE_HOOKS_H
#define NEARLITE_HOOKS_H
#include "capi.h"

int nl_set_authorizer(sqlite3 *, uintptr_t handle); /* 0: none */

#endif
