// Bounds the processor time of a call without costing the call anything.
//
// Each thread that calls Lua has a timer on its own CPU clock: the kernel signals the thread every few milliseconds that
// it computes, and never while it waits. The handler looks whether the call that it finds is still the one that it
// found before, and if that has gone on for too long, sets a debug hook that raises an error at the next instruction,
// as lua_sethook(3) may be called from a signal handler. A call itself only counts up a number when it begins and ends.
//
// What no hook reaches is hold.c's.
#include "guard.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

__thread guard *wl_own_guard;
static pthread_key_t exit_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int is_ready;

#define EVERYTHING (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT)

static void stop(lua_State *L, lua_Debug *ar);

// Raises, with the line of the function at `level`. Whatever catches the error is stopped at its next instruction, also
// in a thread that the signal has not found computing.
static void out_of_time(lua_State *L, wl_host *h, int level) {
  // Setting it goes through all calls of the thread, for each error that one of them catches.
  if (lua_gethook(L) != stop) lua_sethook(L, stop, EVERYTHING, 1);
  luaL_where(L, level);
  lua_pushfstring(L, "the call has used up its processor time (%d ms)", (int)(h->cpu_limit / 1000000));
  lua_concat(L, 2);
  lua_error(L);
}

static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  wl_host *h = wl_host_of(L);
  if (!h->expired) {
    // A coroutine made while the hook was set has inherited it.
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  out_of_time(L, h, 0);
}

void wl_check_time(lua_State *L, wl_host *h) {
  if (WL_UNLIKELY(h->expired)) out_of_time(L, h, 1);
}

static void tick(int number, siginfo_t *info, void *context) {
  (void)number;
  guard *g = wl_own_guard;
  if (!g || info->si_code != SI_TIMER) return;
  uint32_t sequence = g->sequence;
  if (!((sequence | g->hold) & 1)) return;
  int saved = errno;
  uint64_t now = wl_thread_time();
  if (g->hold & 1) wl_tick_hold(g, now, context);
  if (!(sequence & 1)) {
    errno = saved;
    return;
  }
  if (sequence != g->seen) {
    g->seen = sequence;
    g->since = now;
  } else {
    wl_host *h = g->host;
    h->noticed = 1;
    if (!h->expired && now - g->since >= h->cpu_limit) h->expired = 1;
    // Set again at each tick: the thread that computes may be another one by now.
    if (h->expired) lua_sethook(h->current, stop, EVERYTHING, 1);
  }
  errno = saved;
}

static void thread_ended(void *value) {
  guard *g = value;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, TICK_SIGNAL);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  timer_delete(g->timer);
  wl_own_guard = NULL;
  free(g);
}

static void prepare(void) {
  struct sigaction action = {0};
  action.sa_sigaction = tick;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  wl_find_lua_code();
  is_ready = sigaction(TICK_SIGNAL, &action, NULL) == 0 && pthread_key_create(&exit_key, thread_ended) == 0;
}

guard *wl_make_guard(void) {
  pthread_once(&once, prepare);
  if (!is_ready) return NULL;
  guard *g = calloc(1, sizeof *g);
  if (!g) return NULL;
  struct sigevent event = {0};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = TICK_SIGNAL;
  event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
  if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &g->timer) != 0) {
    free(g);
    return NULL;
  }
  struct itimerspec every = {{0, TICK_NANOSECONDS}, {0, TICK_NANOSECONDS}};
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, TICK_SIGNAL);
  if (timer_settime(g->timer, 0, &every, NULL) != 0 || pthread_sigmask(SIG_UNBLOCK, &set, NULL) != 0 ||
      pthread_setspecific(exit_key, g) != 0) {
    timer_delete(g->timer);
    free(g);
    return NULL;
  }
  wl_own_guard = g;
  return g;
}

int wl_enter(wl_host *h, lua_State *L) {
  guard *g = wl_own_guard;
  if (WL_UNLIKELY(!g) && !(g = wl_make_guard())) return 0;
  h->current = L;
  g->host = h;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  g->sequence = g->sequence + 1;
  return 1;
}

int wl_leave(wl_host *h) {
  guard *g = wl_own_guard;
  if (g) g->sequence = g->sequence + 1;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  // Only now, when no tick takes the call for one that runs.
  if (WL_LIKELY(!h->noticed)) return 0;
  int left = h->expired ? WL_EXPIRED : WL_NOTICED;
  h->noticed = 0;
  // It had begun up to a tick before it was first seen.
  if (g) h->spent += wl_thread_time() - g->since + TICK_NANOSECONDS;
  if (h->expired) {
    lua_sethook(h->current, NULL, 0, 0);
    h->expired = 0;
  }
  return left;
}

void wl_count_failure(wl_host *h) {
  guard *g = wl_own_guard;
  if (g && g->seen == g->sequence - 1 && h->spent == 0) h->spent = wl_thread_time() - g->since + TICK_NANOSECONDS / 2;
}

uint64_t wl_take_spent(wl_host *h) {
  uint64_t spent = h->spent;
  h->spent = 0;
  return spent;
}

int wl_can_interrupt(void) {
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
  return 0;
#endif
#endif
  return 1;
}
