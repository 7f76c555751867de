// The script's own coroutines. Lua's library serves, but for what must know which thread computes (so that the limit on
// processor time reaches it) and what must keep its hands off the coroutines that calls run in.
#include "host.h"

static lua_State *own_coroutine(lua_State *L, int index) {
  lua_State *co = lua_tothread(L, index);
  luaL_argexpected(L, co, index, "coroutine");
  if (wl_slot_of(co) || co == wl_host_of(L)->main) luaL_error(L, "this coroutine belongs to the proxy");
  return co;
}

// Moves `count` arguments from L and resumes; results, or the error, are then on L.
// Returns how many results, or -1.
static int resume(lua_State *L, lua_State *co, int count) {
  wl_host *h = wl_host_of(L);
  if (!lua_checkstack(co, count)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, count);
  int results;
  h->current = co;
  int status = lua_resume(co, L, count, &results);
  h->current = L;
  wl_check_time(L, h);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, results + 1)) {
    lua_pop(co, results);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, results);
  return results;
}

static int co_resume(lua_State *L) {
  lua_State *co = own_coroutine(L, 1);
  int results = resume(L, co, lua_gettop(L) - 1);
  lua_pushboolean(L, results >= 0);
  if (results < 0) results = 1;
  lua_insert(L, -results - 1);
  return results + 1;
}

// Closes a coroutine's variables; its code runs as the thread that computes.
static int reset_thread(lua_State *L, lua_State *co) {
  wl_host *h = wl_host_of(L);
  int closing = h->closing;
  h->closing = 1;
  h->current = co;
  int status = lua_resetthread(co);
  h->current = L;
  h->closing = closing;
  wl_check_time(L, h);
  return status;
}

static int wrapped(lua_State *L) {
  lua_State *co = own_coroutine(L, lua_upvalueindex(1));
  int results = resume(L, co, lua_gettop(L));
  if (results >= 0) return results;
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    // The error that closing raises takes the first one's place.
    if (reset_thread(L, co) != status) lua_xmove(co, L, 1);
    lua_settop(co, 0);
  }
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int co_create(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}

static int co_wrap(lua_State *L) {
  co_create(L);
  lua_pushcclosure(L, wrapped, 1);
  return 1;
}

static int co_close(lua_State *L) {
  lua_State *co = own_coroutine(L, 1);
  lua_Debug ar;
  int status = lua_status(co);
  int is_dead_or_suspended = status != LUA_OK || lua_getstack(co, 0, &ar) == 0;
  if (co == L || !is_dead_or_suspended) luaL_error(L, "cannot close a running coroutine");
  if (reset_thread(L, co) == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}

static int co_yield(lua_State *L) {
  if (wl_host_of(L)->closing) luaL_error(L, "attempt to yield while a coroutine is closed");
  return lua_yield(L, lua_gettop(L));
}

void wl_install_coroutines(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"create", co_create}, {"resume", co_resume}, {"wrap", co_wrap},
      {"close", co_close},   {"yield", co_yield},   {NULL, NULL},
  };
  lua_getglobal(L, LUA_COLIBNAME);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}
