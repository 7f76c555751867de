// Tests of scripts: the clock, and the bridge over which Lua code of the test runner asks Swift.
#include "host.h"
#include <string.h>
#include <time.h>

uint64_t wl_wall(const wl_host *h) {
  if (WL_UNLIKELY(h->wall != NULL)) return *h->wall;
  struct timespec t;
  if (clock_gettime(CLOCK_REALTIME, &t) != 0) return 0;
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// os.time() and os.date(format) of the clock that was set; with a time they are Lua's own.

static int set_time(lua_State *L) {
  if (lua_isnoneornil(L, 1)) {
    lua_pushinteger(L, (lua_Integer)(wl_wall(wl_host_of(L)) / 1000000000u));
    return 1;
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

static int set_date(lua_State *L) {
  const char *format = luaL_optstring(L, 1, "%c");
  lua_Integer time = luaL_optinteger(L, 2, (lua_Integer)(wl_wall(wl_host_of(L)) / 1000000000u));
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushstring(L, format);
  lua_pushinteger(L, time);
  lua_call(L, 2, 1);
  return 1;
}

static int install_clock(lua_State *L) {
  lua_getglobal(L, LUA_OSLIBNAME);
  lua_getfield(L, -1, "time");
  lua_pushcclosure(L, set_time, 1);
  lua_setfield(L, -2, "time");
  lua_getfield(L, -1, "date");
  lua_pushcclosure(L, set_date, 1);
  lua_setfield(L, -2, "date");
  return 0;
}

void wl_set_clock(wl_host *h, const uint64_t *nanoseconds) {
  h->wall = nanoseconds;
  lua_pushcfunction(h->main, install_clock);
  // Without memory for that the state will not load either.
  lua_pcall(h->main, 0, 0, 0);
  lua_settop(h->main, 0);
}

// The bridge

// What the test runner's own code is called, which messages leave out.
#define LIBRARY_CHUNK "@weft-test.lua"

static char driver_key;

static int native_call(lua_State *L) {
  wl_host *h = wl_host_of(L);
  size_t count;
  const char *operation = luaL_checklstring(L, 1, &count);
  lua_settop(L, 2);
  wl_text arguments = wl_write_tape(L, 2);
  int failed = 0;
  // Swift runs other states, which are limited for themselves: a thread's guard watches one call at a time.
  wl_leave(h);
  wl_text answer = h->bridge(h->bridge_context, wl_bytes(operation, count), arguments, &failed);
  if (!wl_enter(h, L)) luaL_error(L, WL_NO_TIMER_ERROR);
  if (failed) {
    lua_pushlstring(L, (const char *)answer.base, answer.count);
    return lua_error(L);
  }
  wl_push_tape(L, answer);
  return 1;
}

// The file and line of the innermost function that is not the library's.
static int native_place(lua_State *L) {
  lua_Debug ar;
  for (int level = 1; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline > 0 && strcmp(ar.source, LIBRARY_CHUNK) != 0) {
      lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
      return 1;
    }
  }
  return 0;
}

static int native_traceback(lua_State *L) {
  luaL_traceback(L, L, NULL, 1);
  return 1;
}

static int native_load(lua_State *L) {
  wl_host *h = wl_host_of(L);
  size_t count;
  const char *path = luaL_checklstring(L, 1, &count);
  for (size_t i = 0; i < h->source_count; i++) {
    const wl_source *s = &h->sources[i];
    if (s->path.count != count || memcmp(s->path.base, path, count) != 0) continue;
    const char *name = lua_pushfstring(L, "@%s", path);
    if (luaL_loadbufferx(L, (const char *)s->text.base, s->text.count, name, "t") != LUA_OK) lua_error(L);
    return 1;
  }
  return luaL_error(L, "there is no file %s", path);
}

static int native_drive(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &driver_key);
  return 0;
}

static int install_bridge(lua_State *L) {
  static const luaL_Reg functions[] = {{"call", native_call},           {"place", native_place},
                                       {"traceback", native_traceback}, {"load", native_load},
                                       {"drive", native_drive},         {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_setglobal(L, "native");
  return 0;
}

int wl_add_bridge(wl_host *h, wl_bridge bridge, void *context) {
  h->bridge = bridge;
  h->bridge_context = context;
  lua_pushcfunction(h->main, install_bridge);
  int status = lua_pcall(h->main, 0, 0, 0);
  lua_settop(h->main, 0);
  return status == LUA_OK;
}

typedef struct {
  const char *function;
  wl_text argument;
  wl_text result;
} drive_call;

static int drive(lua_State *L) {
  drive_call *call = lua_touserdata(L, 1);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &driver_key) != LUA_TTABLE) luaL_error(L, "the test library is not loaded");
  lua_getfield(L, -1, call->function);
  wl_push_tape(L, call->argument);
  lua_call(L, 1, 1);
  call->result = wl_write_tape(L, -1);
  return 0;
}

int wl_drive(wl_host *h, const char *function, wl_text argument, uint64_t cpu, wl_text *result) {
  drive_call call = {function, argument, {NULL, 0}};
  h->cpu_limit = cpu;
  int outcome = wl_protect(h, drive, &call);
  *result = call.result;
  return outcome;
}

// Measurements and listings

void wl_collect(wl_host *h, int go_on) {
  lua_gc(h->main, LUA_GCRESTART);
  lua_gc(h->main, LUA_GCCOLLECT);
  if (!go_on) lua_gc(h->main, LUA_GCSTOP);
}

// Adds what the table on top of the stack holds to the list below it, and what tables in it hold: the path, followed, unless
// it is a function, by its value or else its type.
static void list_paths(lua_State *L, const char *prefix, int depth) {
  luaL_checkstack(L, 8, "listing");
  int table = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, table)) {
    // The globals hold themselves.
    if (lua_type(L, -2) != LUA_TSTRING || (depth == 0 && strcmp(lua_tostring(L, -2), LUA_GNAME) == 0)) {
      lua_pop(L, 1);
      continue;
    }
    const char *path = lua_pushfstring(L, "%s%s", prefix, lua_tostring(L, -2));
    if (lua_istable(L, -2) && depth < 4) {
      lua_pushfstring(L, "%s.", path);
      lua_pushvalue(L, table - 1);
      lua_pushvalue(L, -4);
      list_paths(L, lua_tostring(L, -3), depth + 1);
      lua_pop(L, 3);
    } else {
      int type = lua_type(L, -2);
      if (type == LUA_TNUMBER || type == LUA_TSTRING) {
        lua_pushvalue(L, -2);
        lua_pushfstring(L, "%s %s", path, lua_tostring(L, -1));
        lua_remove(L, -2);
      } else if (type != LUA_TFUNCTION) {
        lua_pushfstring(L, "%s %s", path, lua_typename(L, type));
      } else {
        lua_pushvalue(L, -1);
      }
      lua_rawseti(L, table - 1, (lua_Integer)lua_rawlen(L, table - 1) + 1);
    }
    lua_pop(L, 2);
  }
}

// Adds the methods of the metatable on top of the stack to the table of classes at `classes`.
static void list_class(lua_State *L, int classes) {
  int metatable = lua_gettop(L);
  if (lua_getfield(L, metatable, "__name") != LUA_TSTRING) {
    lua_settop(L, metatable);
    return;
  }
  // A class that has more than methods asks a function, which holds them.
  if (lua_getfield(L, metatable, "__index") == LUA_TFUNCTION && lua_getupvalue(L, -1, 1)) lua_remove(L, -2);
  if (!lua_istable(L, -1)) {
    lua_settop(L, metatable);
    return;
  }
  const char *name = lua_tostring(L, metatable + 1);
  if (lua_getfield(L, classes, name) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, classes, name);
  }
  lua_pushnil(L);
  while (lua_next(L, metatable + 2)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) continue;
    lua_pushvalue(L, -1);
    lua_rawseti(L, metatable + 3, (lua_Integer)lua_rawlen(L, metatable + 3) + 1);
  }
  lua_settop(L, metatable);
}

static int list_api(lua_State *L) {
  wl_text *result = lua_touserdata(L, 1);
  lua_newtable(L);
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, LUA_REGISTRYINDEX)) {
    if (lua_istable(L, -1)) list_class(L, 3);
    lua_pop(L, 1);
  }
  lua_setfield(L, 2, "classes");
  lua_newtable(L);
  lua_pushglobaltable(L);
  list_paths(L, "", 0);
  lua_pop(L, 1);
  lua_setfield(L, 2, "globals");
  *result = wl_write_tape(L, 2);
  return 0;
}

int wl_list_api(wl_host *h, wl_text *listing) { return wl_protect(h, list_api, listing); }
