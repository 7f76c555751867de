// handle:importPublicKey(), verifySignature() and base64Decode().
#include "host.h"
#include <string.h>

static char class_key;

static wl_text text_argument(lua_State *L, int index) {
  size_t count;
  const char *text = luaL_checklstring(L, index, &count);
  return wl_bytes(text, count);
}

// The text at `index`, cut to the length that the next argument gives.
static wl_text sized_argument(lua_State *L, int index) {
  wl_text text = text_argument(L, index);
  lua_Number count = luaL_checknumber(L, index + 1);
  luaL_argcheck(L, count >= 0 && count <= (lua_Number)text.count, index + 1, "length out of range");
  text.count = (size_t)count;
  return text;
}

// A key is its own DER encoding, which is what get() gives: nil for what is no key.
int wl_handle_import_public_key(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  wl_text der = sized_argument(L, 2);
  lua_newuserdatauv(L, 0, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &class_key);
  lua_setmetatable(L, -2);
  if (s->host->calls.key_import(s->owner, der)) {
    lua_pushlstring(L, (const char *)der.base, der.count);
    lua_setiuservalue(L, -2, 1);
  }
  return 1;
}

static int key_get(lua_State *L) {
  int is_key = lua_type(L, 1) == LUA_TUSERDATA && lua_getmetatable(L, 1);
  if (is_key) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &class_key);
    is_key = lua_rawequal(L, -1, -2);
  }
  if (!is_key) luaL_typeerror(L, 1, "publicKey");
  lua_getiuservalue(L, 1, 1);
  return 1;
}

int wl_handle_verify_signature(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  wl_text digest = text_argument(L, 2);
  wl_text der = text_argument(L, 3);
  wl_text signature = sized_argument(L, 4);
  wl_text data = sized_argument(L, 6);
  int result = s->host->calls.key_check(s->owner, digest, der, signature, data);
  if (result == WL_SIGNATURE_NO_KEY) luaL_error(L, "invalid public key");
  lua_pushboolean(L, result == WL_SIGNATURE_RIGHT);
  switch (result) {
  case WL_SIGNATURE_RIGHT: lua_pushnil(L); break;
  case WL_SIGNATURE_UNKNOWN_DIGEST: lua_pushfstring(L, "%s is not supported.", lua_tostring(L, 2)); break;
  default: lua_pushliteral(L, "Failed to verify digest. Error code: 0"); break;
  }
  return 2;
}

static int digit(uint8_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Forgiving, as Envoy's is: white space is left out, and padding may be missing. nil for what is no base64.
int wl_handle_base64_decode(lua_State *L) {
  wl_host *h = wl_self(L, WL_HANDLE)->host;
  wl_text in = text_argument(L, 2);
  luaL_Buffer b;
  uint8_t *out = (uint8_t *)luaL_buffinitsize(L, &b, in.count / 4 * 3 + 3);
  size_t n = 0, digits = 0, padding = 0;
  uint32_t bits = 0;
  int is_good = 1;
  for (size_t i = 0; i < in.count && is_good; i++) {
    if (WL_UNLIKELY(h->expired)) wl_check_time(L, h);
    uint8_t c = in.base[i];
    if (is_space(c)) continue;
    int d = digit(c);
    if (c == '=') {
      padding++;
    } else if (d < 0 || padding > 0) {
      is_good = 0;
    } else {
      bits = bits << 6 | (uint32_t)d;
      if (++digits % 4 == 0) {
        out[n++] = (uint8_t)(bits >> 16);
        out[n++] = (uint8_t)(bits >> 8);
        out[n++] = (uint8_t)bits;
      }
    }
  }
  size_t rest = digits % 4;
  if (!is_good || rest == 1 || (padding > 0 && (rest == 0 || rest + padding != 4))) {
    lua_pushnil(L);
    return 1;
  }
  if (rest >= 2) out[n++] = (uint8_t)(rest == 2 ? bits >> 4 : bits >> 10);
  if (rest == 3) out[n++] = (uint8_t)(bits >> 2);
  luaL_pushresultsize(&b, n);
  return 1;
}

void wl_install_keys(lua_State *L) {
  static const luaL_Reg methods[] = {{"get", key_get}, {NULL, NULL}};
  lua_createtable(L, 0, 3);
  luaL_newlib(L, methods);
  luaL_setfuncs(L, wl_log_methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushliteral(L, "publicKey");
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &class_key);
}
