// weft.base64 (RFC 4648 4 and 5). Decoding is strict: nothing but the alphabet, padding where it belongs, and no bits that
// stand for nothing, so that a text has one encoding only.
#include "library.h"

static const char standard_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void wl_push_base64(lua_State *L, wl_text bytes, int url) {
  wl_host *h = wl_host_of(L);
  const char *digits = url ? url_digits : standard_digits;
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, (bytes.count + 2) / 3 * 4);
  size_t n = 0;
  for (size_t i = 0; i < bytes.count; i += 3) {
    wl_may_go_on(L, h);
    size_t left = bytes.count - i;
    unsigned v = (unsigned)bytes.base[i] << 16;
    if (left > 1) v |= (unsigned)bytes.base[i + 1] << 8;
    if (left > 2) v |= bytes.base[i + 2];
    out[n++] = digits[v >> 18];
    out[n++] = digits[v >> 12 & 63];
    if (left > 1) out[n++] = digits[v >> 6 & 63];
    if (left > 2) out[n++] = digits[v & 63];
    if (!url && left < 3) {
      out[n++] = '=';
      if (left < 2) out[n++] = '=';
    }
  }
  luaL_pushresultsize(&b, n);
}

static int digit(uint8_t c, int url) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == (url ? '-' : '+')) return 62;
  if (c == (url ? '_' : '/')) return 63;
  return -1;
}

int wl_push_decoded_base64(lua_State *L, wl_text text, int url) {
  wl_host *h = wl_host_of(L);
  size_t count = text.count;
  // Padding: always there in the standard alphabet, optional in the other.
  if (!url && count % 4 != 0) return 0;
  if (count % 4 == 0 && count > 0 && text.base[count - 1] == '=') {
    count--;
    if (text.base[count - 1] == '=') count--;
  }
  if (count % 4 == 1) return 0;
  int top = lua_gettop(L);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, count / 4 * 3 + 3);
  size_t n = 0;
  uint32_t bits = 0;
  int pending = 0;
  for (size_t i = 0; i < count; i++) {
    wl_may_go_on(L, h);
    int d = digit(text.base[i], url);
    if (d < 0) {
      bits = 1;
      break;
    }
    bits = (bits << 6 | (uint32_t)d) & 0xfff;
    pending += 6;
    if (pending >= 8) {
      pending -= 8;
      out[n++] = (char)(bits >> pending & 0xff);
      bits &= (1u << pending) - 1;
    }
  }
  // What is left over must be zero.
  if (bits != 0) {
    lua_settop(L, top);
    return 0;
  }
  luaL_pushresultsize(&b, n);
  return 1;
}

static int decode(lua_State *L, int url) {
  if (wl_push_decoded_base64(L, wl_text_arg(L, 1), url)) return 1;
  return wl_fail(L, url ? "no base64 text with the URL alphabet" : "no base64 text");
}

static int encode_standard(lua_State *L) {
  wl_push_base64(L, wl_text_arg(L, 1), 0);
  return 1;
}

static int encode_url(lua_State *L) {
  wl_push_base64(L, wl_text_arg(L, 1), 1);
  return 1;
}

static int decode_standard(lua_State *L) { return decode(L, 0); }
static int decode_url(lua_State *L) { return decode(L, 1); }

void wl_install_base64(lua_State *L) {
  static const luaL_Reg functions[] = {{"encode", encode_standard},
                                       {"decode", decode_standard},
                                       {"encode_url", encode_url},
                                       {"decode_url", decode_url},
                                       {NULL, NULL}};
  wl_add_library(L, "base64", functions);
}
