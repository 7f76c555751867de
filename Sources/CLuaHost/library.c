// The `weft` table, and what its libraries share.
#include "library.h"
#include <stdarg.h>
#include <string.h>

int wl_fail(lua_State *L, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  lua_pushnil(L);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  return 2;
}

static int is_among(const char *const *names, const char *given) {
  while (*names && strcmp(*names, given) != 0) names++;
  return *names != NULL;
}

void wl_check_options(lua_State *L, int index, const char *kind, const char *of, const char *const *names) {
  wl_host *h = wl_host_of(L);
  int top = lua_gettop(L);
  int table = wl_thaw(L, index) ? lua_gettop(L) : lua_absindex(L, index);
  lua_pushnil(L);
  while (lua_next(L, table)) {
    wl_may_go_on(L, h);
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) {
      luaL_error(L, "each %s of %s is given by name, not by %s", kind, of, luaL_typename(L, -1));
    }
    size_t count;
    const char *given = lua_tolstring(L, -1, &count);
    if (strlen(given) == count && is_among(names, given)) continue;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (const char *const *name = names; *name; name++) {
      if (name != names) luaL_addstring(&b, ", ");
      luaL_addstring(&b, *name);
    }
    luaL_pushresult(&b);
    luaL_error(L, "there is no %s '%s' of %s; there are %s", kind, given, of, lua_tostring(L, -1));
  }
  lua_settop(L, top);
}

void wl_add_library(lua_State *L, const char *name, const luaL_Reg *functions) {
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  lua_setfield(L, -2, name);
}

void wl_new_class(lua_State *L, const void *key, const char *name, const luaL_Reg *methods, lua_CFunction gc) {
  lua_createtable(L, 0, 4);
  if (methods) {
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
  }
  if (gc) {
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void *wl_test_class(lua_State *L, int index, const void *key) {
  void *object = lua_touserdata(L, index);
  if (!object || !lua_getmetatable(L, index)) return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  int is_equal = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return is_equal ? object : NULL;
}

void *wl_check_class(lua_State *L, int index, const void *key, const char *name) {
  void *object = wl_test_class(L, index, key);
  if (!object) luaL_typeerror(L, index, name);
  return object;
}

size_t wl_utf8_sequence(const uint8_t *p, const uint8_t *end) {
  size_t left = (size_t)(end - p);
  if (left == 0) return 0;
  uint8_t c = p[0];
  if (c < 0x80) return 1;
  // The second byte's range excludes what is overlong, a surrogate or beyond U+10FFFF.
  uint8_t low = 0x80, high = 0xbf;
  size_t count;
  if (c >= 0xc2 && c <= 0xdf) {
    count = 2;
  } else if (c >= 0xe0 && c <= 0xef) {
    count = 3;
    if (c == 0xe0) low = 0xa0;
    if (c == 0xed) high = 0x9f;
  } else if (c >= 0xf0 && c <= 0xf4) {
    count = 4;
    if (c == 0xf0) low = 0x90;
    if (c == 0xf4) high = 0x8f;
  } else {
    return 0;
  }
  if (left < count || p[1] < low || p[1] > high) return 0;
  for (size_t i = 2; i < count; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
  }
  return count;
}

int wl_format_arg(lua_State *L, int index) {
  static const char *const names[] = {"hex", "raw", "base64", "base64url", NULL};
  return luaL_checkoption(L, index, "hex", names);
}

void wl_push_formatted(lua_State *L, wl_text bytes, int format) {
  switch (format) {
  case WL_AS_RAW: lua_pushlstring(L, (const char *)bytes.base, bytes.count); return;
  case WL_AS_BASE64: wl_push_base64(L, bytes, 0); return;
  case WL_AS_BASE64_URL: wl_push_base64(L, bytes, 1); return;
  default: {
    static const char digits[] = "0123456789abcdef";
    wl_host *h = wl_host_of(L);
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, bytes.count * 2);
    for (size_t i = 0; i < bytes.count; i++) {
      wl_may_go_on(L, h);
      out[2 * i] = digits[bytes.base[i] >> 4];
      out[2 * i + 1] = digits[bytes.base[i] & 15];
    }
    luaL_pushresultsize(&b, bytes.count * 2);
  }
  }
}

void wl_install_library(lua_State *L) {
  lua_getglobal(L, "weft");
  wl_install_json(L);
  wl_install_base64(L);
  wl_install_url(L);
  wl_install_cookie(L);
  wl_install_digests(L);
  wl_install_crypto(L);
  wl_install_random(L);
  wl_install_time(L);
  wl_install_addresses(L);
  wl_install_regex(L);
  wl_install_shared(L);
  wl_install_http(L);
  wl_install_all(L);
  wl_install_metrics(L);
  wl_install_background(L);
  lua_pop(L, 1);
}
