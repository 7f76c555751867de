#ifndef WEFT_GUARD_H
#define WEFT_GUARD_H
// What guard.c and hold.c share.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "host.h"
#include <signal.h>
#include <time.h>

// Nobody else's: no timer of setitimer(2) runs in this process.
#define TICK_SIGNAL SIGVTALRM
#define TICK_NANOSECONDS 4000000

// A thread's.
typedef struct {
  timer_t timer;
  // Odd while a call runs.
  volatile uint32_t sequence;
  wl_host *volatile host;
  // What the handler saw last, and the clock at that time.
  uint32_t seen;
  uint64_t since;
  // The same for what is done from outside: see wl_hold.
  volatile uint32_t hold;
  wl_host *volatile holder;
  uint32_t hold_seen;
  uint64_t hold_since;
  volatile sig_atomic_t hold_noticed;
  // Of its parts that are over, as far as they were noticed.
  uint64_t hold_spent;
} guard;

extern __thread guard *wl_own_guard;
// NULL when the system gives no timer.
guard *wl_make_guard(void);

static inline uint64_t wl_thread_time(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0) return 0;
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// hold.c. Once, before the first tick.
void wl_find_lua_code(void);
// A tick that finds a hold. May not return.
void wl_tick_hold(guard *g, uint64_t now, const void *context);

#endif
