// Calls into a script, each in a coroutine of its own, so that it may wait.
//
// A coroutine is made once and used for one call after the other. Its stack keeps the functions and their handles at the
// bottom, so that a call pushes two values and makes no object.
#include "host.h"
#include <stdlib.h>

static void park(wl_host *h, wl_slot *s) {
  for (int i = 1; i <= WL_FUNCTIONS; i++) {
    if (h->functions[i] == LUA_NOREF) {
      lua_pushnil(s->thread);
    } else {
      lua_rawgeti(s->thread, LUA_REGISTRYINDEX, h->functions[i]);
    }
  }
  for (int i = 0; i < WL_FUNCTIONS; i++) lua_rawgeti(s->thread, LUA_REGISTRYINDEX, s->handle_refs[i]);
}

static int make_slot(lua_State *L) {
  wl_slot *s = lua_touserdata(L, 1);
  s->thread = lua_newthread(L);
  *(void **)lua_getextraspace(s->thread) = s;
  s->thread_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  for (int i = 1; i <= WL_FUNCTIONS; i++) {
    if (s->host->functions[i] == LUA_NOREF) continue;
    wl_new_handle(L, s, i);
    s->handle_refs[i - 1] = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  park(s->host, s);
  return 0;
}

static void free_slot(wl_slot *s) {
  wl_host *h = s->host;
  // The thread and the handle may live on in a script's variable; nothing there leads back here.
  if (s->thread) *(void **)lua_getextraspace(s->thread) = h;
  luaL_unref(h->main, LUA_REGISTRYINDEX, s->thread_ref);
  for (int i = 0; i < WL_FUNCTIONS; i++) luaL_unref(h->main, LUA_REGISTRYINDEX, s->handle_refs[i]);
  h->slots--;
  free(s);
}

static wl_slot *new_slot(wl_host *h) {
  wl_slot *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->host = h;
  s->thread_ref = LUA_NOREF;
  for (int i = 0; i < WL_FUNCTIONS; i++) s->handle_refs[i] = LUA_NOREF;
  s->objects = s->sets[0];
  s->handle_ref = LUA_NOREF;
  h->slots++;
  lua_pushcfunction(h->main, make_slot);
  lua_pushlightuserdata(h->main, s);
  if (lua_pcall(h->main, 1, 0, 0) != LUA_OK) {
    lua_settop(h->main, 0);
    free_slot(s);
    return NULL;
  }
  return s;
}

// Whoever waits for what it has asked for, waits no more.
static void forget_calls(wl_slot *s) {
  if (WL_LIKELY(s->open_calls == 0)) return;
  s->host->calls.library.http_forget(s->host->context, s);
  s->open_calls = 0;
}

static void give_back(wl_slot *s) {
  wl_host *h = s->host;
  // Its handle must never have been one of an exchange.
  if (WL_UNLIKELY(s->work != NULL)) return free_slot(s);
  s->next = h->free;
  h->free = s;
  h->free_count++;
}

// Calls within each other from which on a coroutine is not used again: it would keep what they took for as long as it
// lives, as the collector takes nothing from a thread when memory is short.
#define DEEP 1000

// Ends what the coroutine has not ended itself, and makes it ready for the next call.
static void reset(wl_slot *s) {
  wl_host *h = s->host;
  lua_Debug ar;
  int is_deep = lua_getstack(s->thread, DEEP, &ar);
  forget_calls(s);
  wl_begin_part(h);
  if (!wl_enter(h, s->thread)) return free_slot(s);
  h->closing = 1;
  lua_resetthread(s->thread);
  h->closing = 0;
  int expired = h->expired;
  wl_leave(h);
  lua_settop(s->thread, 0);
  // Hooks stay off in a thread that a hook has ended.
  if (expired || is_deep) return free_slot(s);
  park(h, s);
  give_back(s);
}

static int settle(wl_slot *s, int status, int results, int left) {
  wl_host *h = s->host;
  if (WL_LIKELY(status == LUA_OK)) {
    forget_calls(s);
    lua_settop(s->thread, WL_PARKED);
    give_back(s);
    return WL_UNLIKELY(left) ? WL_DONE_SLOWLY : WL_DONE;
  }
  if (status == LUA_YIELD) {
    int wait = s->wait;
    lua_pop(s->thread, results);
    switch (wait) {
    case WL_RESPONDED:
      reset(s);
      return WL_RESPONDED;
    case 0:
      wl_set_error(h, "script performed an unexpected yield");
      reset(s);
      return WL_FAILED;
    case WL_WAIT_CHUNK:
    case WL_WAIT_TRAILERS: s->head_sent = 1;
    }
    return wait;
  }
  int expired = left == WL_EXPIRED;
  wl_count_failure(h);
  int outcome = wl_failed(h, s->thread, status, expired);
  // A thread that has died keeps the hooks switched off if a hook killed it, so that its to-be-closed variables could
  // run forever: it is left to the collector, which does not run them.
  if (expired) {
    forget_calls(s);
    free_slot(s);
  } else {
    reset(s);
  }
  return outcome;
}

static int run(wl_slot *s, void *exchange, int arguments) {
  wl_host *h = s->host;
  if (WL_UNLIKELY(!wl_enter(h, s->thread))) {
    wl_set_error(h, WL_NO_TIMER_ERROR);
    reset(s);
    return WL_FAILED;
  }
  s->exchange = exchange;
  s->wait = 0;
  s->wake_queued = 0;
  h->running = s;
  int results;
  int status = lua_resume(s->thread, h->main, arguments, &results);
  h->running = NULL;
  s->exchange = NULL;
  s->chunk = NULL;
  int left = wl_leave(h);
  return settle(s, status, results, left);
}

// What is asked of a slot, with what it needs.
typedef struct {
  wl_slot *slot;
  void *exchange;
  int arguments;
} job;

static int do_run(job *j) { return run(j->slot, j->exchange, j->arguments); }

static int do_reset(job *j) {
  reset(j->slot);
  return WL_DONE;
}

// The slot's coroutine is part of what is lost.
static void abandon(wl_slot *s) {
  forget_calls(s);
  s->host->slots--;
  free(s);
}

// Does it in a hold.
static int held(wl_slot *s, void *exchange, int arguments, int (*what)(job *)) {
  wl_host *h = s->host;
  job j = {s, exchange, arguments};
  if (WL_UNLIKELY(!wl_hold(h))) return what(&j);
  if (WL_UNLIKELY(_setjmp(h->way_out))) {
    abandon(s);
    return wl_give_up(h);
  }
  h->armed = 1;
  int outcome = what(&j);
  wl_let_go(h);
  return outcome;
}

// As new_slot, in a hold.
static wl_slot *held_new_slot(wl_host *h) {
  if (!wl_hold(h)) return new_slot(h);
  if (_setjmp(h->way_out)) {
    wl_give_up(h);
    return NULL;
  }
  h->armed = 1;
  wl_slot *s = new_slot(h);
  wl_let_go(h);
  return s;
}

static int no_slot(wl_host *h) {
  if (h->is_given_up) return wl_refuse_given_up(h);
  wl_set_error(h, WL_MEMORY_ERROR);
  return WL_FAILED_MEMORY;
}

int wl_start(wl_host *h, int function, void *exchange, void *owner, int settings, wl_slot **waiting) {
  *waiting = NULL;
  if (WL_UNLIKELY(h->is_given_up)) return wl_refuse_given_up(h);
  wl_slot *s = h->free;
  if (WL_LIKELY(s != NULL)) {
    h->free = s->next;
    h->free_count--;
  } else if (!(s = held_new_slot(h))) {
    return no_slot(h);
  }
  s->owner = owner;
  s->settings_ref = settings;
  s->function = (uint8_t)function;
  s->objects = s->sets[function - 1];
  s->handle_ref = s->handle_refs[function - 1];
  s->head_sent = 0;
  s->body = 0;
  s->body_ended = 0;
  s->call_count = 0;
  *waiting = s;
  lua_pushvalue(s->thread, function);
  lua_pushvalue(s->thread, WL_FUNCTIONS + function);
  return held(s, exchange, 1, do_run);
}

int wl_start_work(wl_host *h, int timer, void *work, wl_slot **waiting) {
  *waiting = NULL;
  if (h->is_given_up) return wl_refuse_given_up(h);
  int function = timer < 0 ? h->on_load : timer < h->timer_count ? h->timers[timer].function : LUA_NOREF;
  wl_slot *s = function == LUA_NOREF ? NULL : held_new_slot(h);
  if (!s) return no_slot(h);
  s->work = work;
  s->settings_ref = LUA_NOREF;
  *waiting = s;
  lua_rawgeti(s->thread, LUA_REGISTRYINDEX, function);
  return held(s, NULL, 0, do_run);
}

int wl_resume(wl_slot *s, void *exchange, void *chunk) {
  wl_host *h = s->host;
  if (WL_UNLIKELY(h->is_given_up)) {
    abandon(s);
    return wl_refuse_given_up(h);
  }
  s->chunk = chunk;
  return held(s, exchange, 0, do_run);
}

void wl_cancel(wl_slot *s) {
  if (WL_UNLIKELY(s->host->is_given_up)) {
    abandon(s);
  } else {
    held(s, NULL, 0, do_reset);
  }
}

size_t wl_slots(const wl_host *h) { return h->slots; }
size_t wl_free_slots(const wl_host *h) { return h->free_count; }
