/* A bound on what SQL takes of the memory.  See LimitMemory in Go. */
#include "port.h"
#include <stdatomic.h>

static sqlite3_mem_methods plain; /* those of the library */
static _Atomic int64_t taken;     /* bytes in large pieces */
static _Atomic int64_t most;      /* of taken; 0: no bound */

/* claim takes n bytes; 0: that is more than there is. */
static int claim(int64_t n) {
  int64_t now = atomic_fetch_add_explicit(&taken, n, memory_order_relaxed) + n;
  int64_t bound = atomic_load_explicit(&most, memory_order_relaxed);
  if (bound == 0 || now <= bound) return 1;
  atomic_fetch_sub_explicit(&taken, n, memory_order_relaxed);
  return 0;
}

static void give_back(int64_t n) { atomic_fetch_sub_explicit(&taken, n, memory_order_relaxed); }

static void *bounded_malloc(int n) {
  if (n < NL_LARGE) return plain.xMalloc(n);
  if (!claim(n)) return NULL;
  void *p = plain.xMalloc(n);
  int got = p != NULL ? plain.xSize(p) : 0;
  give_back(n - got);
  return p;
}

static void bounded_free(void *p) {
  int n = plain.xSize(p);
  plain.xFree(p);
  if (n >= NL_LARGE) give_back(n);
}

static void *bounded_realloc(void *p, int n) {
  int had = plain.xSize(p);
  if (n < NL_LARGE && had < NL_LARGE) return plain.xRealloc(p, n);
  /* Old and new are there at once, for a while. */
  if (n >= NL_LARGE && !claim(n)) return NULL;
  void *q = plain.xRealloc(p, n);
  int64_t before = (n >= NL_LARGE ? n : 0) + (had >= NL_LARGE ? had : 0);
  int now = q != NULL ? plain.xSize(q) : had;
  give_back(before - (now >= NL_LARGE ? now : 0));
  return q;
}

int nl_bound_memory(void) {
  int rc = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain);
  if (rc != SQLITE_OK) return rc;
  sqlite3_mem_methods bounded = plain;
  bounded.xMalloc = bounded_malloc;
  bounded.xFree = bounded_free;
  bounded.xRealloc = bounded_realloc;
  return sqlite3_config(SQLITE_CONFIG_MALLOC, &bounded);
}

void nl_set_memory(int64_t bytes) { atomic_store(&most, bytes); }

int64_t nl_memory(void) { return atomic_load(&taken); }
