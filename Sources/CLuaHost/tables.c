// The functions of the table library, which go where `#` and indices tell them to, however far: written so that they
// end with the call's time.
#include "host.h"
#include <limits.h>

// What is done with a value that must be a table, or have metamethods for it.
enum { READS = 1, WRITES = 2, MEASURES = 4 };

// Leaves metamethods on the stack.
static void check_table(lua_State *L, int index, int what) {
  if (lua_type(L, index) == LUA_TTABLE) return;
  static const char *const names[] = {"__index", "__newindex", "__len"};
  for (int i = 0; i < 3; i++) {
    if ((what & (1 << i)) && luaL_getmetafield(L, index, names[i]) == LUA_TNIL) {
      luaL_checktype(L, index, LUA_TTABLE);
    }
  }
}

static lua_Integer length(lua_State *L, int what) {
  int top = lua_gettop(L);
  check_table(L, 1, what | MEASURES);
  lua_settop(L, top);
  return luaL_len(L, 1);
}

static inline void may_go_on(lua_State *L) {
  wl_host *h = wl_host_of(L);
  if (WL_UNLIKELY(h->expired)) wl_check_time(L, h);
}

static int table_insert(lua_State *L) {
  lua_Integer end = (lua_Integer)((lua_Unsigned)length(L, READS | WRITES) + 1);
  switch (lua_gettop(L)) {
  case 2: lua_seti(L, 1, end); return 0;
  case 3: {
    lua_Integer at = luaL_checkinteger(L, 2);
    luaL_argcheck(L, (lua_Unsigned)at - 1u < (lua_Unsigned)end, 2, "position out of bounds");
    for (lua_Integer i = end; i > at; i--) {
      may_go_on(L);
      lua_geti(L, 1, i - 1);
      lua_seti(L, 1, i);
    }
    lua_seti(L, 1, at);
    return 0;
  }
  default: return luaL_error(L, "wrong number of arguments to 'insert'");
  }
}

static int table_remove(lua_State *L) {
  lua_Integer size = length(L, READS | WRITES);
  lua_Integer at = luaL_optinteger(L, 2, size);
  if (lua_gettop(L) > 1 && at != size) {
    luaL_argcheck(L, (lua_Unsigned)at - 1u <= (lua_Unsigned)size, 2, "position out of bounds");
  }
  lua_geti(L, 1, at);
  for (; at < size; at++) {
    may_go_on(L);
    lua_geti(L, 1, at + 1);
    lua_seti(L, 1, at);
  }
  lua_pushnil(L);
  lua_seti(L, 1, at);
  return 1;
}

static int table_move(lua_State *L) {
  lua_Integer from = luaL_checkinteger(L, 2);
  lua_Integer end = luaL_checkinteger(L, 3);
  lua_Integer to = luaL_checkinteger(L, 4);
  int target = lua_isnoneornil(L, 5) ? 1 : 5;
  int top = lua_gettop(L);
  check_table(L, 1, READS);
  check_table(L, target, WRITES);
  lua_settop(L, top);
  if (end >= from) {
    luaL_argcheck(L, from > 0 || end < LUA_MAXINTEGER + from, 3, "too many elements to move");
    lua_Integer count = end - from + 1;
    luaL_argcheck(L, to <= LUA_MAXINTEGER - count + 1, 4, "destination wrap around");
    // From the end where the two ranges overlap and a copy from the start would read what it has written.
    int is_same = target == 1 || lua_compare(L, 1, target, LUA_OPEQ);
    int backwards = is_same && to > from && to <= end;
    for (lua_Integer i = 0; i < count; i++) {
      may_go_on(L);
      lua_Integer offset = backwards ? count - 1 - i : i;
      lua_geti(L, 1, from + offset);
      lua_seti(L, target, to + offset);
    }
  }
  lua_pushvalue(L, target);
  return 1;
}

static void add_element(lua_State *L, luaL_Buffer *b, lua_Integer i) {
  lua_geti(L, 1, i);
  if (!lua_isstring(L, -1)) {
    luaL_error(L, "invalid value (%s) at index %I in table for 'concat'", luaL_typename(L, -1), (LUAI_UACINT)i);
  }
  luaL_addvalue(b);
}

static int table_concat(lua_State *L) {
  lua_Integer size = length(L, READS);
  size_t count;
  const char *between = luaL_optlstring(L, 2, "", &count);
  lua_Integer first = luaL_optinteger(L, 3, 1);
  lua_Integer last = luaL_optinteger(L, 4, size);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (; first < last; first++) {
    may_go_on(L);
    add_element(L, &b, first);
    luaL_addlstring(&b, between, count);
  }
  if (first == last) add_element(L, &b, first);
  luaL_pushresult(&b);
  return 1;
}

static int table_unpack(lua_State *L) {
  lua_Integer first = luaL_optinteger(L, 2, 1);
  lua_Integer last = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
  if (first > last) return 0;
  lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)first;
  if (count >= (lua_Unsigned)INT_MAX || !lua_checkstack(L, (int)++count)) {
    luaL_error(L, "too many results to unpack");
  }
  for (; first < last; first++) lua_geti(L, 1, first);
  lua_geti(L, 1, last);
  return (int)count;
}

// Sorting: quicksort around the middle element. With a bad order it takes long, which the limit on time ends, or leaves
// the table, which is noticed.

// Whether the value at index a, from the bottom, comes before the one at index b.
static int comes_before(lua_State *L, int a, int b) {
  may_go_on(L);
  if (lua_isnil(L, 2)) return lua_compare(L, a, b, LUA_OPLT);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, a);
  lua_pushvalue(L, b);
  lua_call(L, 2, 1);
  int result = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return result;
}

// Brings what is not above the element in the middle before what is not below it. The first end at `*low_end`, the
// second begins at `*high_start`.
static void partition(lua_State *L, lua_Integer low, lua_Integer high, lua_Integer *low_end, lua_Integer *high_start) {
  lua_Integer i = low, j = high;
  lua_geti(L, 1, low + (high - low) / 2);
  int pivot = lua_gettop(L);
  while (i <= j) {
    while (lua_geti(L, 1, i), comes_before(L, pivot + 1, pivot)) {
      if (i++ == high) luaL_error(L, "invalid order function for sorting");
      lua_settop(L, pivot);
    }
    while (lua_geti(L, 1, j), comes_before(L, pivot, pivot + 2)) {
      if (j-- == low) luaL_error(L, "invalid order function for sorting");
      lua_settop(L, pivot + 1);
    }
    if (i <= j) {
      lua_seti(L, 1, i++);
      lua_seti(L, 1, j--);
    }
    lua_settop(L, pivot);
  }
  lua_settop(L, pivot - 1);
  *low_end = j;
  *high_start = i;
}

static void sort(lua_State *L, lua_Integer low, lua_Integer high) {
  luaL_checkstack(L, 8, "too many levels to sort");
  while (low < high) {
    lua_Integer low_end, high_start;
    partition(L, low, high, &low_end, &high_start);
    // The smaller side by recursion, so that its depth stays below the logarithm of the count.
    if (low_end - low < high - high_start) {
      sort(L, low, low_end);
      low = high_start;
    } else {
      sort(L, high_start, high);
      high = low_end;
    }
  }
}

static int table_sort(lua_State *L) {
  lua_Integer size = length(L, READS | WRITES);
  if (size > 1) {
    luaL_argcheck(L, size < INT_MAX, 1, "array too big");
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    sort(L, 1, size);
  }
  return 0;
}

void wl_install_tables(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"insert", table_insert}, {"remove", table_remove}, {"move", table_move}, {"concat", table_concat},
      {"unpack", table_unpack}, {"sort", table_sort},     {NULL, NULL},
  };
  lua_getglobal(L, LUA_TABLIBNAME);
  luaL_setfuncs(L, functions, 0);
  // Lua 5.1's name, which scripts written for LuaJIT use.
  lua_getfield(L, -1, "unpack");
  lua_setglobal(L, "unpack");
  lua_pop(L, 1);
}
