#include "hooks.h"
#include "_cgo_export.h"

static int authorize(void *h, int action, const char *a, const char *b, const char *schema, const char *trigger) {
  return goAuthorize((uintptr_t)h, action, (char *)a, (char *)b, (char *)schema, (char *)trigger);
}

int nl_set_authorizer(sqlite3 *db, uintptr_t handle) {
  return sqlite3_set_authorizer(db, handle ? authorize : NULL, (void *)handle);
}
