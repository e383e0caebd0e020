/* A bound on the files in which statements keep what they sort, compare or may have to
** take back.  See LimitTempFiles in Go.
**
** The unix VFS calls the system through a table that may be changed.  What it opens
** under the names of its temporary files is known here by its descriptor. */
#define _GNU_SOURCE /* O_TMPFILE */
#include "port.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

static _Atomic int64_t used; /* bytes in temporary files */
static _Atomic int64_t most; /* of used; 0: no bound */

int64_t nl_temp_files(void) { return atomic_load(&used); }

#ifdef _WIN32

void nl_set_temp_files(int64_t bytes) { atomic_store(&most, bytes); }

#else
#include <sys/types.h>
#include <unistd.h>

#define FILES (1 << 16)

/* The size of each temporary file and one more, by descriptor; 0: it is none. */
static _Atomic int64_t sizes[FILES];

static int (*sys_open)(const char *, int, int);
static int (*sys_close)(int);
static int (*sys_ftruncate)(int, off_t);
static ssize_t (*sys_write)(int, const void *, size_t);
static ssize_t (*sys_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*sys_pwrite64)(int, const void *, size_t, off_t);

static int counted(int fd) { return fd >= 0 && fd < FILES && atomic_load_explicit(&sizes[fd], memory_order_relaxed) != 0; }

/* resize notes a file's new size; 0: that is more than there is room for. */
static int resize(int fd, int64_t size) {
  int64_t grown = size + 1 - atomic_load(&sizes[fd]);
  int64_t now = atomic_fetch_add(&used, grown) + grown, bound = atomic_load(&most);
  if (grown > 0 && bound > 0 && now > bound) {
    atomic_fetch_sub(&used, grown);
    errno = ENOSPC;
    return 0;
  }
  atomic_store(&sizes[fd], size + 1);
  return 1;
}

/* grow notes that n bytes are to be written. */
static int grow(int fd, int64_t at, int64_t n) {
  return at + n < atomic_load(&sizes[fd]) || resize(fd, at + n);
}

/* is_temp says whether a file is a temporary one: it has a name that none else has, or
** none at all. */
static int is_temp(const char *path, int flags) {
#ifdef O_TMPFILE
  if ((flags & O_TMPFILE) == O_TMPFILE) return 1;
#else
  (void)flags;
#endif
  return strstr(path, "etilqs_") != NULL;
}

static int temp_open(const char *path, int flags, int mode) {
  int fd = sys_open(path, flags, mode);
  if (fd >= 0 && fd < FILES) atomic_store(&sizes[fd], is_temp(path, flags));
  return fd;
}

static int temp_close(int fd) {
  if (counted(fd)) {
    resize(fd, 0);
    atomic_store(&sizes[fd], 0);
  }
  return sys_close(fd);
}

static int temp_ftruncate(int fd, off_t size) {
  if (counted(fd) && !resize(fd, size)) return -1;
  return sys_ftruncate(fd, size);
}

static ssize_t temp_write(int fd, const void *p, size_t n) {
  if (counted(fd) && !grow(fd, lseek(fd, 0, SEEK_CUR), (int64_t)n)) return -1;
  return sys_write(fd, p, n);
}

static ssize_t temp_pwrite(int fd, const void *p, size_t n, off_t at) {
  if (counted(fd) && !grow(fd, at, (int64_t)n)) return -1;
  return sys_pwrite(fd, p, n, at);
}

static ssize_t temp_pwrite64(int fd, const void *p, size_t n, off_t at) {
  if (counted(fd) && !grow(fd, at, (int64_t)n)) return -1;
  return sys_pwrite64(fd, p, n, at);
}

/* replace puts ours in the place of a call that the VFS uses. */
static void replace(sqlite3_vfs *vfs, const char *name, sqlite3_syscall_ptr ours, sqlite3_syscall_ptr *theirs) {
  *theirs = vfs->xGetSystemCall(vfs, name);
  if (*theirs != NULL) vfs->xSetSystemCall(vfs, name, ours);
}

void nl_set_temp_files(int64_t bytes) {
  static int done;
  sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
  atomic_store(&most, bytes);
  if (done || vfs == NULL || vfs->iVersion < 3) return;
  done = 1;
#define REPLACE(name) replace(vfs, #name, (sqlite3_syscall_ptr)temp_##name, (sqlite3_syscall_ptr *)&sys_##name)
  REPLACE(close);
  REPLACE(ftruncate);
  REPLACE(write);
  REPLACE(pwrite);
  REPLACE(pwrite64);
  REPLACE(open);
}

#endif
