// weft.url: percent-encoding (RFC 3986 2.1), the parts of a URL, and query strings as forms write them.
#include "library.h"
#include <string.h>

// Parameters of a query.
#define PARAMETERS 1000

static int is_unreserved(uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

static void put_encoded(lua_State *L, wl_host *h, wl_text text) {
  static const char digits[] = "0123456789ABCDEF";
  for (size_t i = 0; i < text.count; i++) {
    wl_may_go_on(L, h);
    uint8_t c = text.base[i];
    if (is_unreserved(c)) {
      wl_put(L, h, &c, 1);
    } else {
      char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
      wl_put(L, h, escape, 3);
    }
  }
}

static int hex(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Pushes the decoded text; 0 and nothing pushed for a malformed escape. plus: it stands for a space.
static int push_decoded(lua_State *L, wl_text text, int plus) {
  wl_host *h = wl_host_of(L);
  int top = lua_gettop(L);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, text.count);
  size_t n = 0;
  for (size_t i = 0; i < text.count; i++) {
    wl_may_go_on(L, h);
    uint8_t c = text.base[i];
    if (c == '%') {
      int high = i + 2 < text.count ? hex(text.base[i + 1]) : -1;
      int low = i + 2 < text.count ? hex(text.base[i + 2]) : -1;
      if (high < 0 || low < 0) {
        lua_settop(L, top);
        return 0;
      }
      c = (uint8_t)(high << 4 | low);
      i += 2;
    } else if (plus && c == '+') {
      c = ' ';
    }
    out[n++] = (char)c;
  }
  luaL_pushresultsize(&b, n);
  return 1;
}

static int url_encode(lua_State *L) {
  wl_host *h = wl_host_of(L);
  h->tape_count = 0;
  put_encoded(L, h, wl_text_arg(L, 1));
  wl_push_written(L, h);
  return 1;
}

static int url_decode(lua_State *L) {
  return push_decoded(L, wl_text_arg(L, 1), 0) ? 1 : wl_fail(L, "a malformed percent-escape");
}

// Parts

static void set_text(lua_State *L, const char *name, const uint8_t *start, const uint8_t *end, int lower) {
  luaL_Buffer b;
  size_t n = (size_t)(end - start);
  char *out = luaL_buffinitsize(L, &b, n);
  for (size_t i = 0; i < n; i++) {
    uint8_t c = start[i];
    out[i] = (char)(lower && c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  luaL_pushresultsize(&b, n);
  lua_setfield(L, -2, name);
}

static const uint8_t *find(const uint8_t *at, const uint8_t *end, const char *set) {
  while (at < end && !strchr(set, *at)) at++;
  return at;
}

// Whether a scheme ends at the ":" that `*end` then points to.
static int has_scheme(const uint8_t *at, const uint8_t *limit, const uint8_t **end) {
  const uint8_t *p = at;
  for (; p < limit; p++) {
    uint8_t c = *p;
    int is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_letter) continue;
    if (p > at && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')) continue;
    break;
  }
  *end = p;
  return p > at && p < limit && *p == ':';
}

// Reads user information, host and port into the table on top of the stack. Returns what is wrong, or NULL.
static const char *read_authority(lua_State *L, const uint8_t *at, const uint8_t *end) {
  for (const uint8_t *p = end; p-- > at;) {
    if (*p == '@') {
      set_text(L, "userinfo", at, p, 0);
      at = p + 1;
      break;
    }
  }
  const uint8_t *host_end;
  if (at < end && *at == '[') {
    host_end = find(at, end, "]");
    if (host_end == end) return "a host with a bracket that is not closed";
    set_text(L, "host", at + 1, host_end, 1);
    host_end++;
  } else {
    host_end = find(at, end, ":");
    set_text(L, "host", at, host_end, 1);
  }
  if (host_end == end) return NULL;
  if (*host_end != ':') return "something behind the host";
  lua_Integer port = 0;
  for (const uint8_t *p = host_end + 1; p < end; p++) {
    if (*p < '0' || *p > '9') return "a port that is no number";
    port = port * 10 + (*p - '0');
    if (port > 65535) return "a port that is too large";
  }
  if (host_end + 1 < end) {
    lua_pushinteger(L, port);
    lua_setfield(L, -2, "port");
  }
  return NULL;
}

static int url_parse(lua_State *L) {
  wl_text text = wl_text_arg(L, 1);
  wl_host *h = wl_host_of(L);
  if (text.count > 65536) return wl_fail(L, "a URL that is too long");
  const uint8_t *at = text.base, *end = text.base + text.count, *p;
  for (p = at; p < end; p++) {
    wl_may_go_on(L, h);
    if (*p <= 0x20 || *p == 0x7f) return wl_fail(L, "a URL with a space or control character");
  }
  lua_createtable(L, 0, 6);
  if (has_scheme(at, end, &p)) {
    set_text(L, "scheme", at, p, 1);
    at = p + 1;
  }
  if (end - at >= 2 && at[0] == '/' && at[1] == '/') {
    at += 2;
    p = find(at, end, "/?#");
    const char *error = read_authority(L, at, p);
    if (error) return wl_fail(L, "%s", error);
    at = p;
  }
  p = find(at, end, "?#");
  set_text(L, "path", at, p, 0);
  if (p < end && *p == '?') {
    at = p + 1;
    p = find(at, end, "#");
    set_text(L, "query", at, p, 0);
  }
  if (p < end) set_text(L, "fragment", p + 1, end, 0);
  return 1;
}

// Queries

static int url_parse_query(lua_State *L) {
  wl_text text = wl_text_arg(L, 1);
  wl_host *h = wl_host_of(L);
  const uint8_t *at = text.base, *end = text.base + text.count;
  if (at < end && *at == '?') at++;
  lua_settop(L, 1);
  lua_newtable(L);  // 2: name to first value
  lua_newtable(L);  // 3: name to list of values
  for (int count = 0; at < end;) {
    wl_may_go_on(L, h);
    const uint8_t *stop = memchr(at, '&', (size_t)(end - at));
    if (!stop) stop = end;
    if (stop > at) {
      if (++count > PARAMETERS) return wl_fail(L, "more than %d parameters", PARAMETERS);
      const uint8_t *equals = memchr(at, '=', (size_t)(stop - at));
      if (!equals) equals = stop;
      const uint8_t *value = equals < stop ? equals + 1 : stop;
      if (!push_decoded(L, wl_bytes(at, (size_t)(equals - at)), 1) ||
          !push_decoded(L, wl_bytes(value, (size_t)(stop - value)), 1)) {
        return wl_fail(L, "a malformed percent-escape");
      }
      lua_pushvalue(L, 4);
      if (lua_rawget(L, 3) == LUA_TNIL) {
        lua_pushvalue(L, 4);
        lua_pushvalue(L, 5);
        lua_rawset(L, 2);
        lua_newtable(L);
        lua_replace(L, 6);
        lua_pushvalue(L, 4);
        lua_pushvalue(L, 6);
        lua_rawset(L, 3);
      }
      lua_pushvalue(L, 5);
      lua_rawseti(L, 6, (lua_Integer)lua_rawlen(L, 6) + 1);
      lua_settop(L, 3);
    }
    at = stop < end ? stop + 1 : end;
  }
  return 2;
}

// Writes the value on top of the stack, which it pops, as the parameter `name`.
static void put_parameter(lua_State *L, wl_host *h, wl_text name) {
  if (h->tape_count > 0) wl_put(L, h, "&", 1);
  put_encoded(L, h, name);
  wl_put(L, h, "=", 1);
  if (lua_isboolean(L, -1)) {
    lua_toboolean(L, -1) ? wl_put(L, h, "true", 4) : wl_put(L, h, "false", 5);
  } else {
    if (!lua_isstring(L, -1)) luaL_error(L, "the value of a parameter is a %s", luaL_typename(L, -1));
    size_t count;
    const char *value = lua_tolstring(L, -1, &count);
    put_encoded(L, h, wl_bytes(value, count));
  }
  lua_pop(L, 1);
}

static int url_build_query(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  wl_host *h = wl_host_of(L);
  lua_settop(L, 1);
  if (wl_thaw(L, 1)) lua_replace(L, 1);
  // The names in order: 2 is their list.
  lua_newtable(L);
  lua_Integer count = 0;
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "the name of a parameter is a %s", luaL_typename(L, -1));
    if (++count > PARAMETERS) luaL_error(L, "more than %d parameters", PARAMETERS);
    lua_pushvalue(L, -1);
    // Sorted in: there are few.
    lua_Integer at = count;
    for (; at > 1; at--) {
      wl_may_go_on(L, h);
      lua_rawgeti(L, 2, at - 1);
      size_t a_count, b_count;
      const char *a = lua_tolstring(L, -1, &a_count), *b = lua_tolstring(L, -2, &b_count);
      int order = memcmp(a, b, a_count < b_count ? a_count : b_count);
      if (order < 0 || (order == 0 && a_count < b_count)) {
        lua_pop(L, 1);
        break;
      }
      lua_rawseti(L, 2, at);
    }
    lua_rawseti(L, 2, at);
  }
  h->tape_count = 0;
  for (lua_Integer i = 1; i <= count; i++) {
    lua_settop(L, 2);
    lua_rawgeti(L, 2, i);
    size_t name_count;
    const char *text = lua_tolstring(L, 3, &name_count);
    wl_text name = wl_bytes(text, name_count);
    lua_pushvalue(L, 3);
    lua_rawget(L, 1);
    if (lua_type(L, 4) != LUA_TTABLE) {
      put_parameter(L, h, name);
      continue;
    }
    lua_Integer values = (lua_Integer)lua_rawlen(L, 4);
    for (lua_Integer v = 1; v <= values; v++) {
      lua_rawgeti(L, 4, v);
      put_parameter(L, h, name);
    }
  }
  wl_push_written(L, h);
  return 1;
}

void wl_install_url(lua_State *L) {
  static const luaL_Reg functions[] = {{"encode", url_encode},
                                       {"decode", url_decode},
                                       {"parse", url_parse},
                                       {"parse_query", url_parse_query},
                                       {"build_query", url_build_query},
                                       {NULL, NULL}};
  wl_add_library(L, "url", functions);
}
