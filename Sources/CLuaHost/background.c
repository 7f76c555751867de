// on_load() and weft.every: work that belongs to no exchange.
#include "library.h"

#define SHORTEST 0.1
#define LONGEST 86400.0

// every(seconds, function [, {worker = "one" | "each"}])
static int weft_every(lua_State *L) {
  wl_host *h = wl_host_of(L);
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= SHORTEST && seconds <= LONGEST, 1, "0.1 to 86400 seconds");
  luaL_checktype(L, 2, LUA_TFUNCTION);
  int each = 0;
  if (!lua_isnoneornil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    static const char *const options[] = {"worker", NULL};
    wl_check_options(L, 3, "option", "weft.every", options);
    static const char *const names[] = {"one", "each", NULL};
    lua_getfield(L, 3, "worker");
    each = luaL_checkoption(L, -1, "one", names);
  }
  if (!h->is_loading) luaL_error(L, "weft.every() is for the time when a script is loaded");
  if (h->timer_count == WL_TIMERS) luaL_error(L, "more than %d times weft.every()", WL_TIMERS);
  lua_pushvalue(L, 2);
  wl_timer *timer = &h->timers[h->timer_count];
  timer->function = luaL_ref(L, LUA_REGISTRYINDEX);
  timer->milliseconds = (uint32_t)(seconds * 1000);
  timer->each = each;
  h->timer_count++;
  return 0;
}

// log(level, ...)
static int weft_log(lua_State *L) {
  static const char *const levels[] = {"trace", "debug", "info", "warn", "error", "critical", NULL};
  int level = luaL_checkoption(L, 1, NULL, levels);
  lua_remove(L, 1);
  wl_log_arguments(L, level);
  return 0;
}

int wl_timer_count(const wl_host *h) { return h->timer_count; }

uint32_t wl_timer_interval(const wl_host *h, int timer) {
  return timer >= 0 && timer < h->timer_count ? h->timers[timer].milliseconds : 0;
}

int wl_timer_is_each(const wl_host *h, int timer) {
  return timer >= 0 && timer < h->timer_count && h->timers[timer].each;
}

int wl_has_on_load(const wl_host *h) { return h->on_load != LUA_NOREF; }

void wl_install_background(lua_State *L) {
  lua_pushcfunction(L, weft_every);
  lua_setfield(L, -2, "every");
  lua_pushcfunction(L, weft_log);
  lua_setfield(L, -2, "log");
}
