// weft.shared: dictionaries that all workers share. Their content is not the state's: keys and values are copied in and
// out.
#include "library.h"
#include <math.h>

// Bytes of a key.
#define KEY_BYTES 4096
// Keys that one call lists.
#define KEYS 1024
// Seconds that an entry may live at the most: ten years.
#define LONGEST 315360000.0

static char shared_class, known_key;
static const char shared_class_name[] = "shared dictionary";

static wl_host *host_of(lua_State *L, void **dictionary) {
  void **o = wl_check_class(L, 1, &shared_class, shared_class_name);
  *dictionary = *o;
  return wl_host_of(L);
}

static wl_text key_arg(lua_State *L) {
  wl_text key = wl_text_arg(L, 2);
  luaL_argcheck(L, key.count <= KEY_BYTES, 2, "a key of more than 4096 bytes");
  return key;
}

// Milliseconds; 0 for none.
static uint64_t ttl_arg(lua_State *L, int index) {
  if (lua_isnoneornil(L, index)) return 0;
  lua_Number seconds = luaL_checknumber(L, index);
  luaL_argcheck(L, seconds > 0 && seconds <= LONGEST, index, "more than 0 seconds, at most ten years");
  return (uint64_t)ceil(seconds * 1000);
}

static wl_value value_arg(lua_State *L, int index) {
  wl_value v = {WL_NIL, 0, 0, {NULL, 0}};
  switch (lua_type(L, index)) {
  case LUA_TBOOLEAN:
    v.kind = WL_BOOLEAN;
    v.integer = lua_toboolean(L, index);
    break;
  case LUA_TNUMBER:
    if (lua_isinteger(L, index)) {
      v.kind = WL_INTEGER;
      v.integer = lua_tointeger(L, index);
    } else {
      v.kind = WL_NUMBER;
      v.number = lua_tonumber(L, index);
    }
    break;
  case LUA_TSTRING:
    v.kind = WL_STRING;
    v.text = wl_text_arg(L, index);
    break;
  default: luaL_typeerror(L, index, "string, number or boolean");
  }
  return v;
}

static int push_value(lua_State *L, const wl_value *v) {
  switch (v->kind) {
  case WL_BOOLEAN: lua_pushboolean(L, (int)v->integer); break;
  case WL_INTEGER: lua_pushinteger(L, v->integer); break;
  case WL_NUMBER: lua_pushnumber(L, v->number); break;
  case WL_STRING: lua_pushlstring(L, v->text.base ? (const char *)v->text.base : "", v->text.count); break;
  default: lua_pushnil(L);
  }
  return 1;
}

// shared(name)
static int weft_shared(lua_State *L) {
  wl_host *h = wl_host_of(L);
  wl_text name = wl_text_arg(L, 1);
  luaL_argcheck(L, name.count > 0 && name.count <= 64, 1, "a name of 1 to 64 bytes");
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &known_key);
  lua_pushvalue(L, 1);
  if (lua_rawget(L, 2) != LUA_TNIL) return 1;
  void **o = lua_newuserdatauv(L, sizeof *o, 0);
  wl_text error = {NULL, 0};
  *o = h->calls.library.shared_open(h->context, name, &error);
  if (!*o) {
    lua_pushlstring(L, error.base ? (const char *)error.base : "", error.base ? error.count : 0);
    return luaL_error(L, "%s", lua_tostring(L, -1));
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &shared_class);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -2);
  lua_rawset(L, 2);
  return 1;
}

static int shared_get(lua_State *L) {
  void *dictionary;
  wl_host *h = host_of(L, &dictionary);
  wl_value v = {WL_NIL, 0, 0, {NULL, 0}};
  h->calls.library.shared_get(h->context, dictionary, key_arg(L), &v);
  return push_value(L, &v);
}

static int store(lua_State *L, int mode) {
  void *dictionary;
  wl_host *h = host_of(L, &dictionary);
  wl_text key = key_arg(L);
  wl_value v = value_arg(L, 3);
  uint64_t ttl = ttl_arg(L, 4);
  switch (h->calls.library.shared_set(h->context, dictionary, mode, key, &v, ttl)) {
  case WL_STORED: lua_pushboolean(L, 1); return 1;
  case WL_THERE: return wl_fail(L, "exists");
  case WL_MISSING: return wl_fail(L, "not found");
  default: return wl_fail(L, "too large");
  }
}

static int shared_set(lua_State *L) {
  if (lua_isnil(L, 3)) {
    void *dictionary;
    wl_host *h = host_of(L, &dictionary);
    h->calls.library.shared_delete(h->context, dictionary, key_arg(L));
    lua_pushboolean(L, 1);
    return 1;
  }
  return store(L, WL_SET_ALWAYS);
}

static int shared_add(lua_State *L) { return store(L, WL_SET_MISSING); }
static int shared_replace(lua_State *L) { return store(L, WL_SET_THERE); }

// incr(key [, amount [, initial [, ttl]]])
static int shared_incr(lua_State *L) {
  void *dictionary;
  wl_host *h = host_of(L, &dictionary);
  wl_text key = key_arg(L);
  wl_value amount = {WL_INTEGER, 1, 0, {NULL, 0}};
  wl_value initial = {WL_NIL, 0, 0, {NULL, 0}};
  if (!lua_isnoneornil(L, 3)) {
    luaL_checknumber(L, 3);
    luaL_argcheck(L, lua_type(L, 3) == LUA_TNUMBER, 3, "a number");
    amount = value_arg(L, 3);
  }
  if (!lua_isnoneornil(L, 4)) {
    luaL_argcheck(L, lua_type(L, 4) == LUA_TNUMBER, 4, "a number");
    initial = value_arg(L, 4);
  }
  uint64_t ttl = ttl_arg(L, 5);
  wl_value result = {WL_NIL, 0, 0, {NULL, 0}};
  switch (h->calls.library.shared_increment(h->context, dictionary, key, &amount, &initial, ttl, &result)) {
  case WL_STORED: return push_value(L, &result);
  case WL_MISSING: return wl_fail(L, "not found");
  case WL_THERE: return wl_fail(L, "not a number");
  default: return wl_fail(L, "too large");
  }
}

static int shared_delete(lua_State *L) {
  void *dictionary;
  wl_host *h = host_of(L, &dictionary);
  lua_pushboolean(L, h->calls.library.shared_delete(h->context, dictionary, key_arg(L)));
  return 1;
}

static int shared_ttl(lua_State *L) {
  void *dictionary;
  wl_host *h = host_of(L, &dictionary);
  int64_t left = h->calls.library.shared_ttl(h->context, dictionary, key_arg(L));
  if (left < 0) {
    lua_pushnil(L);
  } else if (left == INT64_MAX) {
    lua_pushnumber(L, HUGE_VAL);
  } else {
    lua_pushnumber(L, (lua_Number)left / 1000);
  }
  return 1;
}

static int shared_count(lua_State *L) {
  void *dictionary;
  wl_host *h = host_of(L, &dictionary);
  lua_pushinteger(L, (lua_Integer)h->calls.library.shared_count(h->context, dictionary));
  return 1;
}

// keys([most]): in no order.
static int shared_keys(lua_State *L) {
  void *dictionary;
  wl_host *h = host_of(L, &dictionary);
  lua_Integer most = luaL_optinteger(L, 2, KEYS);
  luaL_argcheck(L, most >= 1 && most <= KEYS, 2, "1 to 1024 keys");
  wl_text tape = h->calls.library.shared_keys(h->context, dictionary, (size_t)most);
  if (!tape.base) return luaL_error(L, "no memory for the keys");
  wl_push_tape(L, tape);
  return 1;
}

static int shared_flush(lua_State *L) {
  void *dictionary;
  wl_host *h = host_of(L, &dictionary);
  h->calls.library.shared_flush(h->context, dictionary);
  return 0;
}

void wl_install_shared(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"get", shared_get},   {"set", shared_set},   {"add", shared_add},     {"replace", shared_replace},
      {"incr", shared_incr}, {"ttl", shared_ttl},   {"delete", shared_delete}, {"count", shared_count},
      {"keys", shared_keys}, {"flush", shared_flush}, {NULL, NULL}};
  wl_new_class(L, &shared_class, shared_class_name, methods, NULL);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &known_key);
  lua_pushcfunction(L, weft_shared);
  lua_setfield(L, -2, "shared");
}
