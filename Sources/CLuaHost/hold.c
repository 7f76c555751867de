// Ends what no hook reaches: Lua's own code. The collector does some of its work in one step, whose time can grow with the
// square of what it looks at (ephemerons); a function of Lua's libraries that is given a very long string goes through all of
// it. A thread that a tick finds there after much more time than a call may take leaves by a jump out of the signal handler;
// the state, in the middle of whatever it was, is given up.
#include "guard.h"
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <ucontext.h>

// Lua's code, where it is a shared library of its own: from, below.
static uintptr_t lua_code[2];

static int find_lua_code(struct dl_phdr_info *info, size_t size, void *function) {
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    uintptr_t start = info->dlpi_addr + p->p_vaddr, end = start + p->p_memsz;
    if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || (uintptr_t)function < start || (uintptr_t)function >= end) continue;
    // Linked into this program: what is Lua's and what is not cannot be told apart.
    if ((uintptr_t)wl_open >= start && (uintptr_t)wl_open < end) return 1;
    lua_code[0] = start;
    lua_code[1] = end;
    return 1;
  }
  return 0;
}

void wl_find_lua_code(void) {
  // By its name: a function's address may be that of a stub in this program.
  void *function = dlsym(RTLD_DEFAULT, "lua_resume");
  if (function) dl_iterate_phdr(find_lua_code, function);
}

// Whether the signal has found the thread in Lua's own code. Between that and `way_out` there are frames of Lua and of
// this target alone, as no accessor calls back, and no lock is held.
static int is_in_lua(const void *context) {
#if defined(__x86_64__)
  uintptr_t at = (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
  uintptr_t at = (uintptr_t)((const ucontext_t *)context)->uc_mcontext.pc;
#else
  (void)context;
  uintptr_t at = 0;
#endif
  return at >= lua_code[0] && at < lua_code[1];
}

// How long a part of a hold may take before the state is given up: a call up to its limit, the ticks until that is seen,
// and one collection of all memory that the state may have, which takes half a millisecond a MiB or less.
static uint64_t longest_hold(const wl_host *h) {
  uint64_t limit = h->cpu_limit < UINT64_MAX / 4 ? h->cpu_limit : UINT64_MAX / 4;
  return limit + 3 * TICK_NANOSECONDS + (uint64_t)(h->limit >> 20) * 1000000;
}

void wl_tick_hold(guard *g, uint64_t now, const void *context) {
  uint32_t hold = g->hold;
  if (hold != g->hold_seen) {
    g->hold_seen = hold;
    g->hold_since = now;
    return;
  }
  g->hold_noticed = 1;
  wl_host *h = g->holder;
  if (h->armed && now - g->hold_since >= longest_hold(h) && is_in_lua(context)) {
    h->armed = 0;
    _longjmp(h->way_out, 1);
  }
}

// Processor time of a hold that ticks have found going on.
static uint64_t end_hold(guard *g, wl_host *h) {
  uint64_t spent = g->hold_spent + TICK_NANOSECONDS;
  if (g->hold_noticed) spent += wl_thread_time() - g->hold_since;
  g->hold_noticed = 0;
  g->hold_spent = 0;
  if (spent > h->longest) __atomic_store_n(&h->longest, spent, __ATOMIC_RELAXED);
  return spent;
}

int wl_hold(wl_host *h) {
  guard *g = wl_own_guard;
  if (WL_UNLIKELY(!g) && !(g = wl_make_guard())) return 0;
  if (WL_UNLIKELY(g->hold & 1)) return 0;
  g->holder = h;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  g->hold = g->hold + 1;
  return 1;
}

void wl_let_go(wl_host *h) {
  guard *g = wl_own_guard;
  if (!g) return;
  h->armed = 0;
  g->hold = g->hold + 1;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (WL_UNLIKELY(g->hold_noticed || g->hold_spent)) end_hold(g, h);
}

void wl_begin_part(wl_host *h) {
  guard *g = wl_own_guard;
  if (!g || !(g->hold & 1) || g->holder != h) return;
  g->hold = g->hold + 2;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (!g->hold_noticed) return;
  g->hold_noticed = 0;
  g->hold_spent += wl_thread_time() - g->hold_since;
}

int wl_refuse_given_up(wl_host *h) {
  char text[400];
  snprintf(
      text, sizeof text,
      "a call could not be ended when it had used up its processor time (%d ms): it kept Lua itself at work, its collector "
      "or one long step, for %d ms. The bundle's Lua state on this worker is given up, and its filters fail there until they "
      "have a new one",
      (int)(h->cpu_limit / 1000000), (int)(h->longest / 1000000));
  wl_set_error(h, text);
  return WL_FAILED_CPU;
}

int wl_give_up(wl_host *h) {
  guard *g = wl_own_guard;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, TICK_SIGNAL);
  // As the handler has not returned, it still is blocked.
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  if (g->sequence & 1) g->sequence = g->sequence + 1;
  g->hold = g->hold + 1;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  h->spent = end_hold(g, h);
  h->running = NULL;
  h->expired = 0;
  h->noticed = 0;
  __atomic_store_n(&h->is_given_up, 1, __ATOMIC_RELAXED);
  return wl_refuse_given_up(h);
}

uint64_t wl_longest(const wl_host *h) { return __atomic_load_n(&h->longest, __ATOMIC_RELAXED); }

void wl_inherit_longest(wl_host *h, uint64_t nanoseconds) {
  if (nanoseconds > h->longest) __atomic_store_n(&h->longest, nanoseconds, __ATOMIC_RELAXED);
}

int wl_is_given_up(const wl_host *h) { return __atomic_load_n(&h->is_given_up, __ATOMIC_RELAXED); }

int wl_can_give_up(void) { return wl_can_interrupt() && lua_code[1] != 0; }
