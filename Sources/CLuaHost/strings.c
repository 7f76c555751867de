// The functions of the string library whose work is not bounded by the length of their arguments, written so that they
// end with the call's time.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "patterns.h"
#include <string.h>

// Where a search begins: `init` as the string library counts, from the end if it is negative. One behind the end of
// the string is the last that can be; `*is_beyond` says that it is even further.
static size_t start_of(lua_State *L, int index, size_t count, int *is_beyond) {
  lua_Integer init = luaL_optinteger(L, index, 1);
  *is_beyond = 0;
  if (init < 0) init = init < -(lua_Integer)count ? 1 : (lua_Integer)count + init + 1;
  if (init < 1) init = 1;
  if (init > (lua_Integer)count + 1) *is_beyond = 1;
  return (size_t)init - 1;
}

static int find_or_match(lua_State *L, int finds) {
  size_t count, pattern_count;
  const char *s = luaL_checklstring(L, 1, &count);
  const char *p = luaL_checklstring(L, 2, &pattern_count);
  int is_beyond;
  size_t start = start_of(L, 3, count, &is_beyond);
  if (is_beyond) {
    luaL_pushfail(L);
    return 1;
  }
  int is_plain = finds && (lua_toboolean(L, 4) || pattern_count == 0 || !strpbrk(p, "^$*+?.([%-") );
  // A NUL hides what follows it from strpbrk.
  if (is_plain && !lua_toboolean(L, 4) && strlen(p) != pattern_count) is_plain = 0;
  if (is_plain) {
    const char *found = memmem(s + start, count - start, p, pattern_count);
    if (!found) {
      luaL_pushfail(L);
      return 1;
    }
    lua_pushinteger(L, found - s + 1);
    lua_pushinteger(L, found - s + (lua_Integer)pattern_count);
    return 2;
  }
  wl_matcher m;
  const char *pattern_end = p + pattern_count;
  int is_anchored = pattern_count > 0 && *p == '^';
  if (is_anchored) p++;
  for (const char *at = s + start; at <= s + count; at++) {
    wl_begin_match(&m, L, s, count, pattern_end);
    const char *end = wl_match(&m, at, p);
    if (end) {
      if (!finds) return wl_push_captures(&m, at, end);
      lua_pushinteger(L, at - s + 1);
      lua_pushinteger(L, end - s);
      return 2 + wl_push_captures(&m, NULL, NULL);
    }
    if (is_anchored) break;
  }
  luaL_pushfail(L);
  return 1;
}

static int string_find(lua_State *L) { return find_or_match(L, 1); }
static int string_match(lua_State *L) { return find_or_match(L, 0); }

// Upvalues: subject, pattern, where to go on, where the last match ended (-1: nowhere yet).
static int next_match(lua_State *L) {
  size_t count, pattern_count;
  const char *s = lua_tolstring(L, lua_upvalueindex(1), &count);
  const char *p = lua_tolstring(L, lua_upvalueindex(2), &pattern_count);
  lua_Integer start = lua_tointeger(L, lua_upvalueindex(3));
  lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
  wl_matcher m;
  for (lua_Integer i = start; i <= (lua_Integer)count; i++) {
    wl_begin_match(&m, L, s, count, p + pattern_count);
    const char *end = wl_match(&m, s + i, p);
    // An empty match where the last one ended is that one again.
    if (end && end - s != last) {
      lua_pushinteger(L, end - s);
      lua_copy(L, -1, lua_upvalueindex(3));
      lua_replace(L, lua_upvalueindex(4));
      return wl_push_captures(&m, s + i, end);
    }
  }
  return 0;
}

static int string_gmatch(lua_State *L) {
  size_t count;
  luaL_checklstring(L, 1, &count);
  luaL_checkstring(L, 2);
  int is_beyond;
  size_t start = start_of(L, 3, count, &is_beyond);
  lua_settop(L, 2);
  lua_pushinteger(L, is_beyond ? (lua_Integer)count + 1 : (lua_Integer)start);
  lua_pushinteger(L, -1);
  lua_pushcclosure(L, next_match, 4);
  return 1;
}

static void add_template(wl_matcher *m, luaL_Buffer *b, const char *start, const char *end) {
  size_t count;
  const char *r = lua_tolstring(m->L, 3, &count);
  const char *r_end = r + count;
  while (r < r_end) {
    if (WL_UNLIKELY(m->host->expired)) wl_check_time(m->L, m->host);
    const char *escape = memchr(r, '%', (size_t)(r_end - r));
    luaL_addlstring(b, r, (size_t)((escape ? escape : r_end) - r));
    if (!escape) return;
    r = escape + 1;
    char c = r < r_end ? *r : 0;
    if (c == '%') {
      luaL_addchar(b, '%');
    } else if (c == '0') {
      luaL_addlstring(b, start, (size_t)(end - start));
    } else if (c >= '1' && c <= '9') {
      wl_push_capture(m, c - '1', start, end);
      luaL_tolstring(m->L, -1, NULL);
      lua_remove(m->L, -2);
      luaL_addvalue(b);
    } else {
      luaL_error(m->L, "invalid use of '%%' in replacement string");
    }
    r++;
  }
}

// Adds what takes the match's place. Returns whether it is something else than the match.
static int add_replacement(wl_matcher *m, luaL_Buffer *b, const char *start, const char *end, int type) {
  lua_State *L = m->L;
  switch (type) {
  case LUA_TFUNCTION: {
    lua_pushvalue(L, 3);
    int captures = wl_push_captures(m, start, end);
    lua_call(L, captures, 1);
    break;
  }
  case LUA_TTABLE:
    wl_push_capture(m, 0, start, end);
    lua_gettable(L, 3);
    break;
  default: add_template(m, b, start, end); return 1;
  }
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    luaL_addlstring(b, start, (size_t)(end - start));
    return 0;
  }
  if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  luaL_addvalue(b);
  return 1;
}

static int string_gsub(lua_State *L) {
  size_t count, pattern_count;
  const char *s = luaL_checklstring(L, 1, &count);
  const char *p = luaL_checklstring(L, 2, &pattern_count);
  int type = lua_type(L, 3);
  luaL_argexpected(
      L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
      "string/function/table");
  lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)count + 1);
  const char *pattern_end = p + pattern_count;
  const char *s_end = s + count;
  int is_anchored = pattern_count > 0 && *p == '^';
  if (is_anchored) p++;
  lua_settop(L, 4);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  wl_matcher m;
  const char *last = NULL;
  lua_Integer done = 0;
  int changed = 0;
  const char *at = s;
  while (done < most) {
    wl_begin_match(&m, L, s, count, pattern_end);
    const char *end = wl_match(&m, at, p);
    if (end && end != last) {
      done++;
      changed |= add_replacement(&m, &b, at, end, type);
      at = last = end;
    } else if (at < s_end) {
      luaL_addchar(&b, *at++);
    } else {
      break;
    }
    if (is_anchored) break;
  }
  if (!changed) {
    lua_pushvalue(L, 1);
  } else {
    luaL_addlstring(&b, at, (size_t)(s_end - at));
    luaL_pushresult(&b);
  }
  lua_pushinteger(L, done);
  return 2;
}

static int string_rep(lua_State *L) {
  size_t count, between_count;
  const char *s = luaL_checklstring(L, 1, &count);
  lua_Integer n = luaL_checkinteger(L, 2);
  const char *between = luaL_optlstring(L, 3, "", &between_count);
  size_t each = count + between_count;
  // Nothing, however often, is nothing.
  if (n <= 0 || each == 0) {
    lua_pushliteral(L, "");
    return 1;
  }
  if ((lua_Unsigned)n > (size_t)INT64_MAX / 2 / each) luaL_error(L, "resulting string too large");
  size_t total = (size_t)n * each - between_count;
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, total);
  // By doubling what is there, as a copy of one byte takes as long as one of many.
  size_t there = each < total ? each : total;
  memcpy(out, s, count);
  if (there > count) memcpy(out + count, between, there - count);
  while (there < total) {
    size_t more = there < total - there ? there : total - there;
    memcpy(out + there, out, more);
    there += more;
  }
  luaL_pushresultsize(&b, total);
  return 1;
}

void wl_install_strings(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"find", string_find}, {"match", string_match}, {"gmatch", string_gmatch},
      {"gsub", string_gsub}, {"rep", string_rep},     {NULL, NULL},
  };
  lua_getglobal(L, LUA_STRLIBNAME);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}
