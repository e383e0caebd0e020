/* A VFS that asks Go before and tells Go after each operation on a file. The
** decisions are made in fault.go; here is only the shape SQLite wants. */
#ifndef NEARLITE_FAULT_H
#define NEARLITE_FAULT_H
#include "capi.h"

/* The kinds of operations and of files, as Go knows them: one bit each. */
enum { OP_READ = 1, OP_WRITE = 2, OP_SYNC = 4, OP_TRUNCATE = 8, OP_OPEN = 16, OP_DELETE = 32 };
enum { FILE_DATABASE = 1, FILE_WAL = 2, FILE_OTHER = 4 };

/* Registers a VFS around the default one; NULL when there is no memory. */
sqlite3_vfs *fault_register(const char *name, uintptr_t handle);
/* Takes it out and frees it. No file of it may be open. */
void fault_unregister(sqlite3_vfs *);

#endif
