// weft.cookie: the fields Cookie and Set-Cookie (RFC 6265).
#include "library.h"
#include <math.h>
#include <string.h>

// Reading

static int is_space(uint8_t c) { return c == ' ' || c == '\t'; }

static wl_text trimmed(const uint8_t *start, const uint8_t *end) {
  while (start < end && is_space(*start)) start++;
  while (end > start && is_space(end[-1])) end--;
  return wl_bytes(start, (size_t)(end - start));
}

// The next pair of a field's value, from `*at` on, which moves behind it. What has no name or no "=" is left out, as
// browsers and RFC 6265 5.2 do. Returns 0 when there is none.
static int next_pair(const uint8_t **at, const uint8_t *end, wl_text *name, wl_text *value) {
  while (*at < end) {
    const uint8_t *start = *at;
    const uint8_t *stop = memchr(start, ';', (size_t)(end - start));
    if (!stop) stop = end;
    *at = stop < end ? stop + 1 : end;
    const uint8_t *equals = memchr(start, '=', (size_t)(stop - start));
    if (!equals) continue;
    *name = trimmed(start, equals);
    if (name->count == 0) continue;
    *value = trimmed(equals + 1, stop);
    return 1;
  }
  return 0;
}

// Argument 1: headers, of which a request may have several Cookie fields (RFC 9113 8.2.3), or one such value.
typedef struct {
  wl_values fields;
  wl_text text;
  size_t count;
} source;

static source source_arg(lua_State *L) {
  source s = {.count = 1};
  if (lua_isnil(L, 1)) {
    s.count = 0;
  } else if (lua_type(L, 1) == LUA_TSTRING) {
    s.text = wl_text_arg(L, 1);
  } else if (lua_type(L, 1) == LUA_TUSERDATA) {
    s.fields = wl_values_of(L, "cookie");
    s.count = s.fields.count;
  } else {
    luaL_typeerror(L, 1, "headers or string");
  }
  return s;
}

static wl_text source_value(const source *s, size_t i) { return s->text.base ? s->text : wl_value_at(&s->fields, i); }

static int cookie_get(lua_State *L) {
  wl_host *h = wl_host_of(L);
  source s = source_arg(L);
  wl_text wanted = wl_text_arg(L, 2);
  for (size_t i = 0; i < s.count; i++) {
    wl_text field = source_value(&s, i);
    const uint8_t *at = field.base;
    wl_text name, value;
    while (next_pair(&at, field.base + field.count, &name, &value)) {
      wl_may_go_on(L, h);
      if (name.count != wanted.count || memcmp(name.base, wanted.base, name.count) != 0) continue;
      lua_pushlstring(L, (const char *)value.base, value.count);
      return 1;
    }
  }
  lua_pushnil(L);
  return 1;
}

static int cookie_parse(lua_State *L) {
  wl_host *h = wl_host_of(L);
  source s = source_arg(L);
  lua_settop(L, 1);
  lua_newtable(L);
  for (size_t i = 0; i < s.count; i++) {
    wl_text field = source_value(&s, i);
    const uint8_t *at = field.base;
    wl_text name, value;
    while (next_pair(&at, field.base + field.count, &name, &value)) {
      wl_may_go_on(L, h);
      lua_pushlstring(L, (const char *)name.base, name.count);
      lua_pushvalue(L, -1);
      // Of several, the first is the one whose path fits best (RFC 6265 5.4).
      if (lua_rawget(L, 2) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushlstring(L, (const char *)value.base, value.count);
        lua_rawset(L, 2);
      }
      lua_settop(L, 2);
    }
  }
  return 1;
}

// Writing

static int is_alphanumeric(uint8_t c) { return (uint8_t)((c | 0x20) - 'a') < 26 || (uint8_t)(c - '0') < 10; }

// A token (RFC 9110 5.6.2).
static int is_name(wl_text t) {
  for (size_t i = 0; i < t.count; i++) {
    uint8_t c = t.base[i];
    if (!is_alphanumeric(c) && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c))) return 0;
  }
  return t.count > 0;
}

// cookie-value (RFC 6265 4.1.1): with double quotes around it or without.
static int is_value(wl_text t) {
  if (t.count >= 2 && t.base[0] == '"' && t.base[t.count - 1] == '"') t = wl_bytes(t.base + 1, t.count - 2);
  for (size_t i = 0; i < t.count; i++) {
    uint8_t c = t.base[i];
    if (c <= 0x20 || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\') return 0;
  }
  return 1;
}

static int is_path(wl_text t) {
  for (size_t i = 0; i < t.count; i++) {
    uint8_t c = t.base[i];
    if (c < 0x20 || c >= 0x7f || c == ';') return 0;
  }
  return t.count > 0 && t.base[0] == '/';
}

static int is_domain(wl_text t) {
  for (size_t i = 0; i < t.count; i++) {
    uint8_t c = t.base[i];
    if (!is_alphanumeric(c) && c != '-' && c != '.') return 0;
  }
  return t.count > 0;
}

static int begins_with(wl_text t, const char *prefix) {
  size_t n = strlen(prefix);
  return t.count >= n && memcmp(t.base, prefix, n) == 0;
}

// Pushes the attribute; returns whether it is given.
static int attribute(lua_State *L, const char *name, int type) {
  if (lua_getfield(L, 3, name) == LUA_TNIL) return 0;
  if (lua_type(L, -1) != type) {
    luaL_error(L, "cookie attribute '%s': %s expected, got %s", name, lua_typename(L, type), luaL_typename(L, -1));
  }
  return 1;
}

static wl_text text_attribute(lua_State *L, const char *name) {
  if (!attribute(L, name, LUA_TSTRING)) return wl_bytes(NULL, 0);
  return wl_text_arg(L, lua_gettop(L));
}

static int flag(lua_State *L, const char *name) { return attribute(L, name, LUA_TBOOLEAN) && lua_toboolean(L, -1); }

static const char *const attributes[] = {"path",   "domain",    "max_age",   "expires",
                                         "secure", "http_only", "same_site", "partitioned", NULL};

static void put(lua_State *L, wl_host *h, const char *text) { wl_put(L, h, text, strlen(text)); }

static void put_part(lua_State *L, wl_host *h, const char *name, wl_text value) {
  put(L, h, name);
  wl_put(L, h, value.base, value.count);
}

// build(name, value [, attributes])
static int cookie_build(lua_State *L) {
  static const char *const sites[] = {"Strict", "Lax", "None"};
  wl_host *h = wl_host_of(L);
  wl_text name = wl_text_arg(L, 1);
  wl_text value = wl_text_arg(L, 2);
  lua_settop(L, 3);
  if (lua_isnil(L, 3)) {
    lua_newtable(L);
    lua_replace(L, 3);
  }
  luaL_checktype(L, 3, LUA_TTABLE);
  if (wl_thaw(L, 3)) lua_replace(L, 3);
  wl_check_options(L, 3, "attribute", "a cookie", attributes);
  if (!is_name(name)) return wl_fail(L, "no name of a cookie");
  if (!is_value(value)) {
    return wl_fail(L, "a cookie's value with a character that it must not have; weft.url.encode() makes one of any text");
  }
  wl_text path = text_attribute(L, "path");
  if (path.base && !is_path(path)) return wl_fail(L, "a cookie's path that begins with no '/' or has a ';'");
  wl_text domain = text_attribute(L, "domain");
  if (domain.base && !is_domain(domain)) return wl_fail(L, "a cookie's domain that is no name of a host");
  int secure = flag(L, "secure"), http_only = flag(L, "http_only"), partitioned = flag(L, "partitioned");
  wl_text given = text_attribute(L, "same_site");
  const char *site = NULL;
  for (int i = 0; given.base && i < 3; i++) {
    if (given.count != strlen(sites[i])) continue;
    size_t at = 0;
    while (at < given.count && (given.base[at] | 0x20) == ((uint8_t)sites[i][at] | 0x20)) at++;
    if (at == given.count) site = sites[i];
  }
  if (given.base && !site) return wl_fail(L, "same_site is Strict, Lax or None");
  // Browsers drop cookies that break these rules (RFC 6265bis 4.1.3, 5.7).
  if (!secure && ((site && *site == 'N') || partitioned || begins_with(name, "__Secure-"))) {
    return wl_fail(L, "a cookie that browsers take only with 'secure'");
  }
  if (begins_with(name, "__Host-") && (!secure || domain.base || path.count != 1)) {
    return wl_fail(L, "a cookie called __Host-... has 'secure', path '/' and no domain");
  }
  // Made before the text is begun: both write to the same place.
  if (attribute(L, "expires", LUA_TNUMBER)) wl_push_http_date(L, lua_gettop(L));
  wl_text expires = lua_type(L, -1) == LUA_TSTRING ? wl_text_arg(L, lua_gettop(L)) : wl_bytes(NULL, 0);
  wl_text age = wl_bytes(NULL, 0);
  if (attribute(L, "max_age", LUA_TNUMBER)) {
    lua_Number seconds = lua_tonumber(L, -1);
    if (!(fabs(seconds) < 1e15)) return wl_fail(L, "a cookie's max_age that is too large");
    lua_pushfstring(L, "%I", (LUAI_UACINT)floor(seconds));
    age = wl_text_arg(L, lua_gettop(L));
  }
  h->tape_count = 0;
  wl_put(L, h, name.base, name.count);
  put_part(L, h, "=", value);
  if (expires.base) put_part(L, h, "; Expires=", expires);
  if (age.base) put_part(L, h, "; Max-Age=", age);
  if (domain.base) put_part(L, h, "; Domain=", domain);
  if (path.base) put_part(L, h, "; Path=", path);
  if (secure) put(L, h, "; Secure");
  if (http_only) put(L, h, "; HttpOnly");
  if (site) {
    put(L, h, "; SameSite=");
    put(L, h, site);
  }
  if (partitioned) put(L, h, "; Partitioned");
  wl_push_written(L, h);
  return 1;
}

void wl_install_cookie(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"get", cookie_get}, {"parse", cookie_parse}, {"build", cookie_build}, {NULL, NULL}};
  wl_add_library(L, "cookie", functions);
}
