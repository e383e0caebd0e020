/* Statements that run for long can be made to wait.  See Pause in Go.
**
** SQLite calls rest every few thousand instructions, in the thread that runs the
** statement; there it waits as long as p->paused is set. */
#include "port.h"

/* Instructions between two looks: some fifty microseconds. */
#define STRIDE 4000

static int rest(void *port) {
  nl_port *p = port;
  if (!__atomic_load_n(&p->paused, __ATOMIC_ACQUIRE)) return 0;
  pthread_mutex_lock(&p->lock);
  /* An interrupt ends the wait; it may have come before, and be seen soon. */
  while (p->paused && !sqlite3_is_interrupted(p->db)) pthread_cond_wait(&p->go, &p->lock);
  pthread_mutex_unlock(&p->lock);
  return 0;
}

void nl_pausable(uintptr_t port) {
  nl_port *p = (nl_port *)port;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->go, NULL);
  sqlite3_progress_handler(p->db, STRIDE, rest, p);
}

void nl_pause(uintptr_t port, int paused) {
  nl_port *p = (nl_port *)port;
  if (__atomic_load_n(&p->paused, __ATOMIC_RELAXED) == paused) return;
  pthread_mutex_lock(&p->lock);
  __atomic_store_n(&p->paused, paused, __ATOMIC_RELEASE);
  if (!paused) pthread_cond_broadcast(&p->go);
  pthread_mutex_unlock(&p->lock);
}

void nl_interrupt(uintptr_t port) {
  nl_port *p = (nl_port *)port;
  sqlite3_interrupt(p->db);
  pthread_mutex_lock(&p->lock);
  pthread_cond_broadcast(&p->go);
  pthread_mutex_unlock(&p->lock);
}
