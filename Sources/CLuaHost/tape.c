// Values between Swift and Lua. A tape is a value written in bytes:
//
//   n null · t true · f false · i and 8 bytes, an integer · d and 8 bytes, a float
//   s, 4 bytes of length, the bytes · a, 4 bytes of count, the elements · o, 4 bytes of count, names (as in s but for
//   the s) and values in turn
//
// Numbers are in the machine's own order: a tape never leaves the process.
#include "host.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Memory for writing that a state keeps.
#define KEPT_BYTES (64 * 1024)

typedef struct {
  const uint8_t *at;
  const uint8_t *end;
  int frozen;
} reader;

static uint32_t read_count(lua_State *L, reader *r) {
  uint32_t n;
  if (r->end - r->at < 4) luaL_error(L, "a value is cut off");
  memcpy(&n, r->at, 4);
  r->at += 4;
  return n;
}

static void push_text(lua_State *L, reader *r) {
  uint32_t n = read_count(L, r);
  if ((size_t)(r->end - r->at) < n) luaL_error(L, "a value is cut off");
  lua_pushlstring(L, (const char *)r->at, n);
  r->at += n;
}

static void freeze(lua_State *L);

static void push_value(lua_State *L, reader *r, int depth) {
  if (depth > WL_TAPE_DEPTH) luaL_error(L, "a value nests too deeply");
  luaL_checkstack(L, 6, "a value nests too deeply");
  if (r->at == r->end) luaL_error(L, "a value is cut off");
  uint8_t tag = *r->at++;
  switch (tag) {
  case 'n': lua_pushnil(L); return;
  case 't': lua_pushboolean(L, 1); return;
  case 'f': lua_pushboolean(L, 0); return;
  case 's': push_text(L, r); return;
  case 'i':
  case 'd': {
    uint8_t bytes[8];
    if (r->end - r->at < 8) luaL_error(L, "a value is cut off");
    memcpy(bytes, r->at, 8);
    r->at += 8;
    if (tag == 'i') {
      int64_t n;
      memcpy(&n, bytes, 8);
      lua_pushinteger(L, n);
    } else {
      double n;
      memcpy(&n, bytes, 8);
      lua_pushnumber(L, n);
    }
    return;
  }
  case 'a': {
    uint32_t n = read_count(L, r);
    lua_createtable(L, n < 1024 ? (int)n : 0, 0);
    for (uint32_t i = 1; i <= n; i++) {
      push_value(L, r, depth + 1);
      lua_rawseti(L, -2, i);
    }
    break;
  }
  case 'o': {
    uint32_t n = read_count(L, r);
    lua_createtable(L, 0, n < 1024 ? (int)n : 0);
    for (uint32_t i = 0; i < n; i++) {
      push_text(L, r);
      push_value(L, r, depth + 1);
      lua_rawset(L, -3);
    }
    break;
  }
  default: luaL_error(L, "a value is garbled"); return;
  }
  if (r->frozen) freeze(L);
}

void wl_push_tape(lua_State *L, wl_text tape) {
  reader r = {tape.base, tape.base + tape.count, 0};
  push_value(L, &r, 0);
}

void wl_push_frozen(lua_State *L, wl_text tape) {
  reader r = {tape.base, tape.base + tape.count, 1};
  push_value(L, &r, 0);
}

// Writing

void wl_put(lua_State *L, wl_host *h, const void *bytes, size_t count) {
  if (count > h->tape_capacity - h->tape_count) {
    size_t wanted = h->tape_capacity * 2 > h->tape_count + count ? h->tape_capacity * 2 : h->tape_count + count + 256;
    // Not from the state's memory, but bounded by it.
    if (wanted > h->limit) luaL_error(L, "a value is too large");
    uint8_t *bigger = realloc(h->tape, wanted);
    if (!bigger) luaL_error(L, "a value is too large");
    h->tape = bigger;
    h->tape_capacity = wanted;
  }
  memcpy(h->tape + h->tape_count, bytes, count);
  h->tape_count += count;
}

void wl_push_written(lua_State *L, wl_host *h) {
  lua_pushlstring(L, h->tape ? (const char *)h->tape : "", h->tape_count);
  if (h->tape_capacity <= KEPT_BYTES) return;
  free(h->tape);
  h->tape = NULL;
  h->tape_count = h->tape_capacity = 0;
}

static void put_tag(lua_State *L, wl_host *h, char tag) { wl_put(L, h, &tag, 1); }

static void put_text(lua_State *L, wl_host *h, int index) {
  size_t count;
  const char *text = lua_tolstring(L, index, &count);
  uint32_t n = (uint32_t)count;
  if (n != count) luaL_error(L, "a value is too large");
  wl_put(L, h, &n, 4);
  wl_put(L, h, text, count);
}

static void put_value(lua_State *L, wl_host *h, int index, int depth);

// The largest index if the table at `index` is a list, which may have a few holes; 0 otherwise.
static lua_Integer list_length(lua_State *L, int index) {
  lua_Integer count = 0;
  lua_Integer largest = 0;
  wl_host *h = wl_host_of(L);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    if (WL_UNLIKELY(h->expired)) wl_check_time(L, h);
    lua_pop(L, 1);
    if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1) {
      lua_pop(L, 1);
      return 0;
    }
    if (lua_tointeger(L, -1) > largest) largest = lua_tointeger(L, -1);
    count++;
  }
  return largest <= 2 * count + 64 && largest <= UINT32_MAX ? largest : 0;
}

static void put_table(lua_State *L, wl_host *h, int index, int depth) {
  lua_Integer length = list_length(L, index);
  if (length > 0) {
    uint32_t n = (uint32_t)length;
    put_tag(L, h, 'a');
    wl_put(L, h, &n, 4);
    for (lua_Integer i = 1; i <= length; i++) {
      lua_rawgeti(L, index, i);
      put_value(L, h, lua_gettop(L), depth + 1);
      lua_pop(L, 1);
    }
    return;
  }
  put_tag(L, h, 'o');
  size_t count_at = h->tape_count;
  uint32_t n = 0;
  wl_put(L, h, &n, 4);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      luaL_error(L, "unexpected type %s in table key (only string keys are supported)", luaL_typename(L, -2));
    }
    put_text(L, h, -2);
    put_value(L, h, lua_gettop(L), depth + 1);
    lua_pop(L, 1);
    n++;
  }
  memcpy(h->tape + count_at, &n, 4);
}

static void put_value(lua_State *L, wl_host *h, int index, int depth) {
  if (WL_UNLIKELY(h->expired)) wl_check_time(L, h);
  if (depth > WL_TAPE_DEPTH) luaL_error(L, "a value nests too deeply, or holds itself");
  luaL_checkstack(L, 6, "a value nests too deeply");
  switch (lua_type(L, index)) {
  case LUA_TNIL: put_tag(L, h, 'n'); return;
  case LUA_TBOOLEAN: put_tag(L, h, lua_toboolean(L, index) ? 't' : 'f'); return;
  case LUA_TSTRING:
    put_tag(L, h, 's');
    put_text(L, h, index);
    return;
  case LUA_TNUMBER:
    if (lua_isinteger(L, index)) {
      int64_t n = lua_tointeger(L, index);
      put_tag(L, h, 'i');
      wl_put(L, h, &n, 8);
    } else {
      double n = lua_tonumber(L, index);
      put_tag(L, h, 'd');
      wl_put(L, h, &n, 8);
    }
    return;
  case LUA_TTABLE: {
    int thawed = wl_thaw(L, index);
    put_table(L, h, thawed ? lua_gettop(L) : index, depth);
    if (thawed) lua_pop(L, 1);
    return;
  }
  default: luaL_error(L, "unexpected type '%s' in dynamicMetadata", luaL_typename(L, index));
  }
}

wl_text wl_write_tape(lua_State *L, int index) {
  wl_host *h = wl_host_of(L);
  h->tape_count = 0;
  put_value(L, h, lua_absindex(L, index), 0);
  return wl_bytes(h->tape, h->tape_count);
}

// Read-only tables: an empty table that stands for the one with the content, which only C reaches. All share one
// metatable. The functions of the base library that go past metamethods are made to look through it.

static char metatable_key, content_key;

// Pops a table and pushes its read-only stand-in.
static void freeze(lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_insert(L, -2);
  lua_rawsetp(L, -2, &content_key);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
}

int wl_thaw(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE) return 0;
  if (lua_rawgetp(L, index, &content_key) == LUA_TTABLE) return 1;
  lua_pop(L, 1);
  return 0;
}

static int frozen_index(lua_State *L) {
  if (!wl_thaw(L, 1)) return 0;
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

static int frozen_newindex(lua_State *L) { return luaL_error(L, "settings are read-only"); }

static int frozen_len(lua_State *L) {
  if (!wl_thaw(L, 1)) return 0;
  lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
  return 1;
}

// As Lua's, but for what is behind a read-only table.
static int seeing_next(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (wl_thaw(L, 1)) lua_replace(L, 1);
  if (lua_next(L, 1)) return 2;
  lua_pushnil(L);
  return 1;
}

static int frozen_pairs(lua_State *L) {
  lua_pushcfunction(L, seeing_next);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

static int seeing_rawget(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  if (wl_thaw(L, 1)) lua_replace(L, 1);
  lua_rawget(L, 1);
  return 1;
}

static int seeing_rawlen(lua_State *L) {
  luaL_argexpected(L, lua_istable(L, 1) || lua_isstring(L, 1), 1, "table or string");
  if (wl_thaw(L, 1)) lua_replace(L, 1);
  lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
  return 1;
}

static int seeing_rawset(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  luaL_checkany(L, 3);
  lua_settop(L, 3);
  if (wl_thaw(L, 1)) luaL_error(L, "settings are read-only");
  lua_rawset(L, 1);
  return 1;
}

void wl_install_frozen(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__index", frozen_index},
                                         {"__newindex", frozen_newindex},
                                         {"__len", frozen_len},
                                         {"__pairs", frozen_pairs},
                                         {NULL, NULL}};
  static const luaL_Reg functions[] = {{"next", seeing_next},
                                       {"rawget", seeing_rawget},
                                       {"rawlen", seeing_rawlen},
                                       {"rawset", seeing_rawset},
                                       {NULL, NULL}};
  luaL_newlib(L, metamethods);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_pushglobaltable(L);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}
