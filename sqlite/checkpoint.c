#include "port.h"
#include <unistd.h>

enum { POLL_US = 25 };

/* Looks for a lock every POLL_US until the time is up. */
static int look_again(void *port, int count) {
  if ((int64_t)count * POLL_US >= ((nl_port *)port)->poll_us) return 0;
  usleep(POLL_US);
  return 1;
}

void nl_busy_poll(uintptr_t port, int64_t us) {
  nl_port *p = (nl_port *)port;
  p->poll_us = us;
  sqlite3_busy_handler(p->db, us > 0 ? look_again : NULL, p);
}
