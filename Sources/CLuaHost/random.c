// weft.random and weft.uuid (RFC 9562).
#include "library.h"
#include <math.h>

static uint64_t next(lua_State *L) {
  wl_host *h = wl_host_of(L);
  return h->calls.library.random(h->context);
}

// integer(m, n): m to n; integer(n): 1 to n.
static int random_integer(lua_State *L) {
  lua_Integer low = 1, high = luaL_checkinteger(L, 1);
  if (!lua_isnoneornil(L, 2)) {
    low = high;
    high = luaL_checkinteger(L, 2);
  }
  luaL_argcheck(L, low <= high, lua_isnoneornil(L, 2) ? 1 : 2, "the interval is empty");
  uint64_t span = (uint64_t)high - (uint64_t)low;
  uint64_t number;
  if (span == UINT64_MAX) {
    number = next(L);
  } else {
    // The largest multiple of the number of results; what is beyond would favour some of them.
    uint64_t results = span + 1;
    uint64_t bound = UINT64_MAX - UINT64_MAX % results;
    do {
      number = next(L);
    } while (number >= bound);
    number %= results;
  }
  lua_pushinteger(L, (lua_Integer)((uint64_t)low + number));
  return 1;
}

static int random_float(lua_State *L) {
  lua_pushnumber(L, (lua_Number)(next(L) >> 11) * 0x1p-53);
  return 1;
}

static int random_bytes(lua_State *L) {
  lua_Integer count = luaL_checkinteger(L, 1);
  luaL_argcheck(L, count >= 0 && count <= 65536, 1, "0 to 65536 bytes");
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, (size_t)count);
  uint64_t number = 0;
  for (lua_Integer i = 0; i < count; i++) {
    if (i % 8 == 0) number = next(L);
    out[i] = (char)(number & 255);
    number >>= 8;
  }
  luaL_pushresultsize(&b, (size_t)count);
  return 1;
}

// Pushes the text of 16 bytes, of which it sets version and variant.
static void push_uuid(lua_State *L, uint8_t *bytes, int version) {
  static const char digits[] = "0123456789abcdef";
  bytes[6] = (uint8_t)((bytes[6] & 15) | version << 4);
  bytes[8] = (uint8_t)((bytes[8] & 63) | 0x80);
  char text[36];
  size_t n = 0;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text[n++] = '-';
    text[n++] = digits[bytes[i] >> 4];
    text[n++] = digits[bytes[i] & 15];
  }
  lua_pushlstring(L, text, n);
}

static void fill(lua_State *L, uint8_t *bytes) {
  wl_host *h = wl_host_of(L);
  if (!h->calls.library.random_bytes(h->context, bytes, 16)) luaL_error(L, "the system gives no random bytes");
}

static int uuid_v4(lua_State *L) {
  uint8_t bytes[16];
  fill(L, bytes);
  push_uuid(L, bytes, 4);
  return 1;
}

static int uuid_v7(lua_State *L) {
  uint8_t bytes[16];
  fill(L, bytes);
  wl_host *h = wl_host_of(L);
  uint64_t nanoseconds = wl_worker_wall(h);
  uint64_t milliseconds = nanoseconds / 1000000;
  for (int i = 0; i < 6; i++) bytes[i] = (uint8_t)(milliseconds >> (40 - 8 * i));
  // The fraction of a millisecond in 12 bits (RFC 9562 6.2, method 3), so that later ones sort later.
  uint64_t fraction = nanoseconds % 1000000 * 4096 / 1000000;
  bytes[6] = (uint8_t)(fraction >> 8);
  bytes[7] = (uint8_t)fraction;
  push_uuid(L, bytes, 7);
  return 1;
}

void wl_install_random(lua_State *L) {
  static const luaL_Reg random[] = {
      {"integer", random_integer}, {"float", random_float}, {"bytes", random_bytes}, {NULL, NULL}};
  static const luaL_Reg uuid[] = {{"v4", uuid_v4}, {"v7", uuid_v7}, {NULL, NULL}};
  wl_add_library(L, "random", random);
  wl_add_library(L, "uuid", uuid);
}
