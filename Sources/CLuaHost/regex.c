// weft.re: regular expressions (PCRE2), each match within limits of its own.
#include "library.h"
#include <stdio.h>
#include <string.h>

// Bytes of a pattern.
#define PATTERN_BYTES 4096
// Compiled patterns that a state may have at a time: their memory is not the state's.
#define REGEXES 512
#define REGEX_BYTES (8 * 1024 * 1024)
// Compiled patterns that are kept for who uses them by their text.
#define CACHED 128

static char regex_class, cache_key;
static const char regex_class_name[] = "regular expression";

typedef struct {
  void *code;
  size_t bytes;
  int groups;
  int options;
} regex;

// A search through a subject, from one match to the next.
typedef struct {
  lua_State *L;
  wl_host *h;
  const regex *re;
  wl_text subject;
  // Where to look next; beyond the subject's end: there is nothing more.
  size_t at;
  size_t offsets[2 * WL_RE_GROUPS];
} search;

static int regex_gc(lua_State *L) {
  regex *re = lua_touserdata(L, 1);
  wl_host *h = wl_host_of(L);
  if (re->code) {
    h->calls.library.regex_free(re->code);
    h->regexes--;
    h->regex_bytes -= re->bytes;
  }
  re->code = NULL;
  return 0;
}

static const regex *check_regex(lua_State *L, int index) {
  const regex *re = wl_check_class(L, index, &regex_class, regex_class_name);
  if (!re->code) luaL_error(L, "the regular expression is no more");
  return re;
}

static int options_of(lua_State *L, int index) {
  int options = 0;
  for (const char *f = luaL_optstring(L, index, ""); *f; f++) {
    switch (*f) {
    case 'i': options |= WL_RE_CASELESS; break;
    case 's': options |= WL_RE_DOTALL; break;
    case 'm': options |= WL_RE_MULTILINE; break;
    case 'u': options |= WL_RE_UTF8; break;
    default: luaL_argerror(L, index, lua_pushfstring(L, "'%c' is none of the flags i, m, s, u", *f));
    }
  }
  return options;
}

// Pushes the compiled form of the pattern at `index`, or nil and a message. Returns 1 or 2.
static int push_regex(lua_State *L, int index, int options) {
  wl_host *h = wl_host_of(L);
  wl_text pattern = wl_text_arg(L, index);
  if (pattern.count > PATTERN_BYTES) return wl_fail(L, "a pattern of more than %d bytes", PATTERN_BYTES);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key);
  int cache = lua_gettop(L);
  lua_pushfstring(L, "%d ", options);
  lua_pushvalue(L, index);
  lua_concat(L, 2);
  lua_pushvalue(L, -1);
  if (lua_rawget(L, cache) != LUA_TNIL) return 1;
  lua_pop(L, 1);
  if (h->regexes >= REGEXES || h->regex_bytes >= REGEX_BYTES) {
    // Perhaps most of them are garbage.
    lua_gc(L, LUA_GCCOLLECT);
    wl_check_time(L, h);
    if (h->regexes >= REGEXES) luaL_error(L, "more than %d regular expressions", REGEXES);
    if (h->regex_bytes >= REGEX_BYTES) luaL_error(L, "regular expressions of more than %d bytes", REGEX_BYTES);
  }
  regex *re = lua_newuserdatauv(L, sizeof *re, 0);
  re->code = NULL;
  re->options = options;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &regex_class);
  lua_setmetatable(L, -2);
  wl_text error = {NULL, 0};
  re->code = h->calls.library.regex_compile(h->context, pattern, options, &error);
  if (!re->code) {
    lua_pushnil(L);
    lua_pushlstring(L, error.base ? (const char *)error.base : "", error.base ? error.count : 0);
    return 2;
  }
  h->regexes++;
  re->bytes = h->calls.library.regex_bytes(re->code);
  h->regex_bytes += re->bytes;
  re->groups = h->calls.library.regex_groups(re->code);
  if (re->groups >= WL_RE_GROUPS) luaL_error(L, "too many groups");
  wl_check_time(L, h);
  // The cache begins anew when it is full: a script that makes patterns from what requests bring has no use for it.
  lua_Integer count = lua_rawgeti(L, cache, 1) == LUA_TNUMBER ? lua_tointeger(L, -1) : 0;
  lua_pop(L, 1);
  if (count >= CACHED) {
    count = 0;
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
    lua_replace(L, cache);
  }
  lua_pushinteger(L, count + 1);
  lua_rawseti(L, cache, 1);
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -2);
  lua_rawset(L, cache);
  return 1;
}

static int re_compile(lua_State *L) {
  int options = options_of(L, 2);
  lua_settop(L, 1);
  return push_regex(L, 1, options);
}

// Brings the functions' arguments, (subject, pattern, ..., flags), into the order of the methods': the compiled pattern,
// then the subject. flags: their index. A malformed pattern raises.
static void use_pattern(lua_State *L, int flags) {
  luaL_checkstring(L, 1);
  lua_settop(L, flags);
  int options = options_of(L, flags);
  if (push_regex(L, 2, options) == 2) luaL_error(L, "malformed pattern: %s", lua_tostring(L, -1));
  lua_insert(L, 1);
  lua_settop(L, flags + 1);
  lua_remove(L, 3);
}

static search begin(lua_State *L) {
  search s;
  s.L = L;
  s.h = wl_host_of(L);
  s.re = check_regex(L, 1);
  s.subject = wl_text_arg(L, 2);
  s.at = 0;
  return s;
}

// The match from `at` on. Raises when it is given up: neither answer would be true.
static int match(search *s) {
  if (s->at > s->subject.count) return 0;
  wl_text error = {NULL, 0};
  int result = s->h->calls.library.regex_match(s->h->context, s->re->code, s->subject, s->at, s->offsets, &error);
  wl_check_time(s->L, s->h);
  if (result < 0) {
    lua_pushlstring(s->L, error.base ? (const char *)error.base : "", error.base ? error.count : 0);
    luaL_error(s->L, "the match was given up: %s", lua_tostring(s->L, -1));
  }
  return result;
}

// Behind the match: past its end, and past one character if it was empty, so that a search goes on.
static void advance(search *s) {
  size_t end = s->offsets[1];
  if (s->offsets[0] < end) {
    s->at = end;
    return;
  }
  s->at = end + 1;
  if (!(s->re->options & WL_RE_UTF8)) return;
  while (s->at < s->subject.count && (s->subject.base[s->at] & 0xc0) == 0x80) s->at++;
}

// A group as a string; false when it took no part.
static void push_group(search *s, int group) {
  size_t start = s->offsets[2 * group], end = s->offsets[2 * group + 1];
  if (start == WL_RE_UNSET || end < start || end > s->subject.count) {
    lua_pushboolean(s->L, 0);
  } else {
    lua_pushlstring(s->L, (const char *)s->subject.base + start, end - start);
  }
}

// The groups, or without any the whole match if `whole`. Returns how many were pushed.
static int push_groups(search *s, int whole) {
  luaL_checkstack(s->L, WL_RE_GROUPS, "too many groups");
  if (s->re->groups == 0 && whole) {
    push_group(s, 0);
    return 1;
  }
  for (int i = 1; i <= s->re->groups; i++) push_group(s, i);
  return s->re->groups;
}

// The optional position at which a search begins, from 1; negative ones count from the end.
static void start_at(search *s, int index) {
  lua_Integer init = luaL_optinteger(s->L, index, 1);
  lua_Integer count = (lua_Integer)s->subject.count;
  if (init < 0) init = init < -count ? 1 : count + init + 1;
  if (init < 1) init = 1;
  s->at = (size_t)init - 1;
}

static int regex_test(lua_State *L) {
  search s = begin(L);
  lua_pushboolean(L, match(&s));
  return 1;
}

static int regex_match(lua_State *L) {
  search s = begin(L);
  start_at(&s, 3);
  if (match(&s)) return push_groups(&s, 1);
  lua_pushnil(L);
  return 1;
}

static int regex_find(lua_State *L) {
  search s = begin(L);
  start_at(&s, 3);
  if (!match(&s)) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, (lua_Integer)s.offsets[0] + 1);
  lua_pushinteger(L, (lua_Integer)s.offsets[1]);
  return 2 + push_groups(&s, 0);
}

// Upvalues: the expression, the subject, where to go on.
static int next_match(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, lua_upvalueindex(2));
  search s = begin(L);
  s.at = (size_t)lua_tointeger(L, lua_upvalueindex(3));
  if (!match(&s)) return 0;
  advance(&s);
  lua_pushinteger(L, (lua_Integer)s.at);
  lua_replace(L, lua_upvalueindex(3));
  return push_groups(&s, 1);
}

static int regex_gmatch(lua_State *L) {
  begin(L);
  lua_settop(L, 2);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_match, 3);
  return 1;
}

// Text that takes a match's place: $1 or ${1} a group, ${name} a named one, $0 the match, $$ a dollar sign.
static void put_template(search *s, wl_text text) {
  lua_State *L = s->L;
  const uint8_t *p = text.base, *end = p + text.count;
  while (p < end) {
    const uint8_t *dollar = memchr(p, '$', (size_t)(end - p));
    wl_put(L, s->h, p, (size_t)((dollar ? dollar : end) - p));
    if (!dollar) return;
    p = dollar + 1;
    if (p < end && *p == '$') {
      wl_put(L, s->h, p++, 1);
      continue;
    }
    const uint8_t *name = p;
    int braced = p < end && *p == '{';
    if (braced) {
      name++;
      p = memchr(name, '}', (size_t)(end - name));
      if (!p) luaL_error(L, "a \"${\" without \"}\" in the replacement");
    } else {
      while (p < end && *p >= '0' && *p <= '9') p++;
    }
    size_t count = (size_t)(p - name);
    if (braced) p++;
    int group = count > 0 && count < 3 ? 0 : -1;
    for (size_t i = 0; i < count && group >= 0; i++) {
      group = name[i] >= '0' && name[i] <= '9' ? group * 10 + (name[i] - '0') : -1;
    }
    if (group < 0 && braced) {
      group = s->h->calls.library.regex_group(s->re->code, wl_bytes(name, count));
      if (group == 0) group = -1;
    }
    if (group < 0 || group > s->re->groups) luaL_error(L, "the replacement names a group that the pattern has not");
    size_t from = s->offsets[2 * group], to = s->offsets[2 * group + 1];
    if (from != WL_RE_UNSET && from <= to && to <= s->subject.count) wl_put(L, s->h, s->subject.base + from, to - from);
  }
}

// gsub(subject, replacement [, n])
static int regex_gsub(lua_State *L) {
  search s = begin(L);
  int type = lua_type(L, 3);
  luaL_argexpected(
      L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
      "string/function/table");
  lua_Integer most = luaL_optinteger(L, 4, LUA_MAXINTEGER);
  lua_settop(L, 3);
  wl_text template = {NULL, 0};
  if (type == LUA_TSTRING || type == LUA_TNUMBER) template = wl_text_arg(L, 3);
  // 4: the pieces of the result that are complete. What replaces a match may be the script's function, which may itself
  // write: so the bytes are handed over before it is called.
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  size_t copied = 0;
  size_t last_end = SIZE_MAX;
  lua_Integer count = 0;
  while (count < most && match(&s)) {
    size_t start = s.offsets[0], end = s.offsets[1];
    // `\K` may put the start of a match before what has been copied.
    if (start < copied || end < start) break;
    // An empty match where the last one ended is that one again.
    if (start == end && end == last_end) {
      advance(&s);
      continue;
    }
    luaL_addlstring(&b, (const char *)s.subject.base + copied, start - copied);
    if (template.base) {
      s.h->tape_count = 0;
      put_template(&s, template);
      wl_push_written(L, s.h);
      luaL_addvalue(&b);
    } else {
      if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, push_groups(&s, 1), 1);
      } else {
        push_group(&s, s.re->groups > 0 ? 1 : 0);
        lua_gettable(L, 3);
      }
      if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(&b, (const char *)s.subject.base + start, end - start);
      } else if (lua_isstring(L, -1)) {
        luaL_addvalue(&b);
      } else {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
      }
    }
    count++;
    copied = last_end = end;
    advance(&s);
    if (start == end) s.at = end == s.subject.count ? SIZE_MAX : s.at;
  }
  luaL_addlstring(&b, (const char *)s.subject.base + copied, s.subject.count - copied);
  luaL_pushresult(&b);
  lua_pushinteger(L, count);
  return 2;
}

// split(subject [, n]): at most n pieces.
static int regex_split(lua_State *L) {
  search s = begin(L);
  lua_Integer most = luaL_optinteger(L, 3, LUA_MAXINTEGER);
  luaL_argcheck(L, most >= 1, 3, "at least 1");
  lua_settop(L, 2);
  lua_newtable(L);
  size_t copied = 0;
  lua_Integer count = 0;
  while (count + 1 < most && match(&s)) {
    size_t start = s.offsets[0], end = s.offsets[1];
    // An empty match splits between two characters only.
    if (start == end && (start == copied || start >= s.subject.count)) {
      advance(&s);
      continue;
    }
    if (start < copied) break;
    lua_pushlstring(L, (const char *)s.subject.base + copied, start - copied);
    lua_rawseti(L, 3, ++count);
    copied = end;
    advance(&s);
  }
  lua_pushlstring(L, (const char *)s.subject.base + copied, s.subject.count - copied);
  lua_rawseti(L, 3, ++count);
  return 1;
}

// captures(subject [, init]): the match as a table: [0] all of it, [1], [2] ... the groups.
static int regex_captures(lua_State *L) {
  search s = begin(L);
  start_at(&s, 3);
  if (!match(&s)) {
    lua_pushnil(L);
    return 1;
  }
  lua_createtable(L, s.re->groups, 1);
  for (int i = 0; i <= s.re->groups; i++) {
    push_group(&s, i);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

// group(name): the number of a named group, nil without it.
static int regex_group(lua_State *L) {
  const regex *re = check_regex(L, 1);
  int group = wl_host_of(L)->calls.library.regex_group(re->code, wl_text_arg(L, 2));
  if (group > 0) {
    lua_pushinteger(L, group);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

static int re_test(lua_State *L) {
  use_pattern(L, 3);
  return regex_test(L);
}

static int re_match(lua_State *L) {
  use_pattern(L, 3);
  lua_settop(L, 2);
  return regex_match(L);
}

static int re_find(lua_State *L) {
  use_pattern(L, 3);
  lua_settop(L, 2);
  return regex_find(L);
}

static int re_gmatch(lua_State *L) {
  use_pattern(L, 3);
  return regex_gmatch(L);
}

static int re_captures(lua_State *L) {
  use_pattern(L, 3);
  lua_settop(L, 2);
  return regex_captures(L);
}

static int re_split(lua_State *L) {
  use_pattern(L, 3);
  lua_settop(L, 2);
  return regex_split(L);
}

static int re_gsub(lua_State *L) {
  use_pattern(L, 4);
  lua_settop(L, 3);
  return regex_gsub(L);
}

void wl_install_regex(lua_State *L) {
  static const luaL_Reg functions[] = {{"compile", re_compile},   {"test", re_test}, {"match", re_match},
                                       {"find", re_find},         {"gmatch", re_gmatch}, {"gsub", re_gsub},
                                       {"captures", re_captures}, {"split", re_split},   {NULL, NULL}};
  static const luaL_Reg methods[] = {{"test", regex_test},         {"match", regex_match}, {"find", regex_find},
                                     {"gmatch", regex_gmatch},     {"gsub", regex_gsub},   {"split", regex_split},
                                     {"captures", regex_captures}, {"group", regex_group}, {NULL, NULL}};
  wl_new_class(L, &regex_class, regex_class_name, methods, regex_gc);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
  wl_add_library(L, "re", functions);
}
