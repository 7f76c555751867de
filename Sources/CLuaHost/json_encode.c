// weft.json: writing. Names are in the order of their bytes, so that equal values give equal texts.
#include "json.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  lua_State *L;
  wl_host *h;
  // What stands in the way; NULL while nothing does. One that takes a type's name has it in `type`.
  const char *error;
  const char *type;
} writer;

static int write_value(writer *w, int index, int depth);

static int refuse(writer *w, const char *error) {
  w->error = error;
  return 0;
}

static void put(writer *w, const char *text, size_t count) { wl_put(w->L, w->h, text, count); }

static int write_string(writer *w, int index) {
  static const char digits[] = "0123456789abcdef";
  size_t count;
  const uint8_t *p = (const uint8_t *)lua_tolstring(w->L, index, &count);
  const uint8_t *end = p + count;
  const uint8_t *start = p;
  put(w, "\"", 1);
  while (p < end) {
    wl_may_go_on(w->L, w->h);
    uint8_t c = *p;
    if (c >= 0x20 && c != '"' && c != '\\') {
      size_t n = wl_utf8_sequence(p, end);
      if (n == 0) return refuse(w, "a string that is not UTF-8");
      p += n;
      continue;
    }
    put(w, (const char *)start, (size_t)(p - start));
    start = ++p;
    switch (c) {
    case '"': put(w, "\\\"", 2); break;
    case '\\': put(w, "\\\\", 2); break;
    case '\b': put(w, "\\b", 2); break;
    case '\f': put(w, "\\f", 2); break;
    case '\n': put(w, "\\n", 2); break;
    case '\r': put(w, "\\r", 2); break;
    case '\t': put(w, "\\t", 2); break;
    default: {
      char escape[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
      put(w, escape, sizeof escape);
    }
    }
  }
  put(w, (const char *)start, (size_t)(p - start));
  put(w, "\"", 1);
  return 1;
}

static int write_number(writer *w, int index) {
  char text[40];
  int count;
  if (lua_isinteger(w->L, index)) {
    count = snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(w->L, index));
  } else {
    double value = lua_tonumber(w->L, index);
    if (!isfinite(value)) return refuse(w, "a number that is not finite");
    // The fewest digits that read back as the same number.
    for (int digits = 15; digits <= 17; digits++) {
      count = snprintf(text, sizeof text, "%.*g", digits, value);
      if (strtod(text, NULL) == value) break;
    }
    // A float stays one.
    if (strspn(text, "-0123456789") == (size_t)count) {
      memcpy(text + count, ".0", 2);
      count += 2;
    }
  }
  put(w, text, (size_t)count);
  return 1;
}

static int write_array(writer *w, int index, lua_Integer count, int depth) {
  put(w, "[", 1);
  for (lua_Integer i = 1; i <= count; i++) {
    if (i > 1) put(w, ",", 1);
    lua_rawgeti(w->L, index, i);
    if (!write_value(w, lua_gettop(w->L), depth + 1)) return 0;
    lua_pop(w->L, 1);
  }
  put(w, "]", 1);
  return 1;
}

static int is_before(wl_text a, wl_text b) {
  size_t n = a.count < b.count ? a.count : b.count;
  int order = memcmp(a.base, b.base, n);
  return order != 0 ? order < 0 : a.count < b.count;
}

static void sift(wl_text *names, size_t at, size_t count) {
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= count) return;
    if (child + 1 < count && is_before(names[child], names[child + 1])) child++;
    if (!is_before(names[at], names[child])) return;
    wl_text t = names[at];
    names[at] = names[child];
    names[child] = t;
    at = child;
  }
}

// Heapsort: in place, and no input makes it slow.
static void sort(writer *w, wl_text *names, size_t count) {
  for (size_t i = count / 2; i-- > 0;) {
    wl_may_go_on(w->L, w->h);
    sift(names, i, count);
  }
  for (size_t end = count; end-- > 1;) {
    wl_may_go_on(w->L, w->h);
    wl_text t = names[0];
    names[0] = names[end];
    names[end] = t;
    sift(names, 0, end);
  }
}

static int write_object(writer *w, int index, size_t count, int depth) {
  lua_State *L = w->L;
  // The table keeps the strings; nothing changes it meanwhile.
  wl_text *names = lua_newuserdatauv(L, (count ? count : 1) * sizeof *names, 0);
  size_t n = 0;
  lua_pushnil(L);
  while (n < count && lua_next(L, index)) {
    wl_may_go_on(L, w->h);
    lua_pop(L, 1);
    size_t bytes;
    const char *name = lua_tolstring(L, -1, &bytes);
    names[n++] = wl_bytes(name, bytes);
  }
  lua_settop(L, index + 1);
  sort(w, names, n);
  put(w, "{", 1);
  for (size_t i = 0; i < n; i++) {
    if (i > 0) put(w, ",", 1);
    lua_pushlstring(L, (const char *)names[i].base, names[i].count);
    if (!write_string(w, index + 2)) return 0;
    put(w, ":", 1);
    lua_rawget(L, index);
    if (!write_value(w, index + 2, depth + 1)) return 0;
    lua_pop(L, 1);
  }
  put(w, "}", 1);
  lua_pop(L, 1);
  return 1;
}

// The table is on top of the stack.
static int write_table(writer *w, int depth) {
  lua_State *L = w->L;
  int index = lua_gettop(L);
  if (depth >= WL_JSON_DEPTH) return refuse(w, "nesting that is too deep, or a table that holds itself");
  if (lua_getmetatable(L, index)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &wl_json_array_key);
    int is_array = lua_rawequal(L, -1, -2);
    lua_settop(L, index);
    if (is_array) return write_array(w, index, (lua_Integer)lua_rawlen(L, index), depth);
  }
  size_t names = 0;
  lua_Integer elements = 0, largest = 0;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    wl_may_go_on(L, w->h);
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) {
      names++;
    } else if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 1) {
      elements++;
      if (lua_tointeger(L, -1) > largest) largest = lua_tointeger(L, -1);
    } else {
      w->type = luaL_typename(L, -1);
      return refuse(w, "a key of the type %s");
    }
  }
  if (elements == 0) return write_object(w, index, names, depth);
  if (names > 0) return refuse(w, "a table with both names and elements");
  if (largest != elements) return refuse(w, "an array with gaps");
  return write_array(w, index, elements, depth);
}

// index: from the bottom. Leaves the stack as it was, unless it fails.
static int write_value(writer *w, int index, int depth) {
  lua_State *L = w->L;
  wl_may_go_on(L, w->h);
  luaL_checkstack(L, 8, "a value that nests too deeply");
  switch (lua_type(L, index)) {
  case LUA_TNIL: put(w, "null", 4); return 1;
  case LUA_TBOOLEAN: lua_toboolean(L, index) ? put(w, "true", 4) : put(w, "false", 5); return 1;
  case LUA_TNUMBER: return write_number(w, index);
  case LUA_TSTRING: return write_string(w, index);
  case LUA_TTABLE: {
    int top = lua_gettop(L);
    if (!wl_thaw(L, index)) lua_pushvalue(L, index);
    if (!write_table(w, depth)) return 0;
    lua_settop(L, top);
    return 1;
  }
  case LUA_TUSERDATA: {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &wl_json_null_key);
    int is_null = lua_rawequal(L, -1, index);
    lua_pop(L, 1);
    if (is_null) {
      put(w, "null", 4);
      return 1;
    }
  }
  }
  w->type = luaL_typename(L, index);
  return refuse(w, "a value of the type %s");
}

int wl_json_encode(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  wl_host *h = wl_host_of(L);
  writer w = {L, h, NULL, NULL};
  h->tape_count = 0;
  if (write_value(&w, 1, 0)) {
    wl_push_written(L, h);
    return 1;
  }
  lua_settop(L, 1);
  if (w.type) {
    lua_pushfstring(L, w.error, w.type);
  } else {
    lua_pushstring(L, w.error);
  }
  return wl_fail(L, "no JSON for %s", lua_tostring(L, -1));
}
