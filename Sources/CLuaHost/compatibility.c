// What LuaJIT has and Lua 5.4 has not, for scripts that were written for Envoy: `bit`, and functions that Lua has dropped.
#include "host.h"
#include <math.h>
#include <string.h>

// Numbers as LuaJIT's `bit` takes them: modulo 2^32; results are signed.
static uint32_t bits_argument(lua_State *L, int index) {
  if (lua_isinteger(L, index)) return (uint32_t)lua_tointeger(L, index);
  lua_Number n = luaL_checknumber(L, index);
  if (!isfinite(n)) return 0;
  n = fmod(nearbyint(n), 4294967296.0);
  return (uint32_t)(int64_t)n;
}

static int push_bits(lua_State *L, uint32_t bits) {
  lua_pushinteger(L, (int32_t)bits);
  return 1;
}

static int bit_tobit(lua_State *L) { return push_bits(L, bits_argument(L, 1)); }
static int bit_not(lua_State *L) { return push_bits(L, ~bits_argument(L, 1)); }
static int bit_swap(lua_State *L) { return push_bits(L, __builtin_bswap32(bits_argument(L, 1))); }

enum { BIT_AND, BIT_OR, BIT_XOR };

static int combine(lua_State *L, int operation) {
  uint32_t bits = bits_argument(L, 1);
  for (int i = 2, n = lua_gettop(L); i <= n; i++) {
    uint32_t other = bits_argument(L, i);
    bits = operation == BIT_AND ? bits & other : operation == BIT_OR ? bits | other : bits ^ other;
  }
  return push_bits(L, bits);
}

static int bit_and(lua_State *L) { return combine(L, BIT_AND); }
static int bit_or(lua_State *L) { return combine(L, BIT_OR); }
static int bit_xor(lua_State *L) { return combine(L, BIT_XOR); }

static int bit_lshift(lua_State *L) { return push_bits(L, bits_argument(L, 1) << (bits_argument(L, 2) & 31)); }
static int bit_rshift(lua_State *L) { return push_bits(L, bits_argument(L, 1) >> (bits_argument(L, 2) & 31)); }

static int bit_arshift(lua_State *L) {
  return push_bits(L, (uint32_t)((int32_t)bits_argument(L, 1) >> (bits_argument(L, 2) & 31)));
}

static uint32_t rotated(uint32_t bits, uint32_t count) {
  count &= 31;
  return count == 0 ? bits : bits << count | bits >> (32 - count);
}

static int bit_rol(lua_State *L) { return push_bits(L, rotated(bits_argument(L, 1), bits_argument(L, 2))); }
static int bit_ror(lua_State *L) { return push_bits(L, rotated(bits_argument(L, 1), 0u - bits_argument(L, 2))); }

static int bit_tohex(lua_State *L) {
  uint32_t bits = bits_argument(L, 1);
  int32_t count = lua_isnoneornil(L, 2) ? 8 : (int32_t)bits_argument(L, 2);
  const char *digits = count < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
  if (count < 0) count = count < -8 ? 8 : -count;
  if (count > 8) count = 8;
  char text[8];
  for (int i = count - 1; i >= 0; i--, bits >>= 4) text[i] = digits[bits & 15];
  lua_pushlstring(L, text, (size_t)count);
  return 1;
}

static int math_pow(lua_State *L) {
  lua_pushnumber(L, pow(luaL_checknumber(L, 1), luaL_checknumber(L, 2)));
  return 1;
}

static int table_getn(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushinteger(L, luaL_len(L, 1));
  return 1;
}

// The largest number among the keys.
static int table_maxn(lua_State *L) {
  wl_host *h = wl_host_of(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Number largest = 0;
  lua_settop(L, 1);
  if (wl_thaw(L, 1)) lua_replace(L, 1);
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    if (WL_UNLIKELY(h->expired)) wl_check_time(L, h);
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) > largest) largest = lua_tonumber(L, -1);
  }
  if (largest == floor(largest) && largest < 9e15) {
    lua_pushinteger(L, (lua_Integer)largest);
  } else {
    lua_pushnumber(L, largest);
  }
  return 1;
}

// string.format, for which the whole-number conversions leave out a fraction instead of refusing the number. Upvalue: Lua's.
static int string_format(lua_State *L) {
  wl_check_format(L);
  const char *format = luaL_checkstring(L, 1);
  int top = lua_gettop(L);
  int argument = 1;
  for (const char *at = strchr(format, '%'); at; at = strchr(at, '%')) {
    at++;
    if (*at == '%') {
      at++;
      continue;
    }
    at += strspn(at, "-+ #0123456789.");
    argument++;
    if (!*at || argument > top) break;
    if (!strchr("diouxXc", *at) || lua_type(L, argument) != LUA_TNUMBER || lua_isinteger(L, argument)) continue;
    lua_Number n = lua_tonumber(L, argument);
    if (n > -9e18 && n < 9e18) {
      lua_pushinteger(L, (lua_Integer)n);
      lua_replace(L, argument);
    }
  }
  // Not through lua_call, so that its errors name this function and its caller's line.
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void wl_install_compatibility(lua_State *L) {
  static const luaL_Reg bit[] = {
      {"tobit", bit_tobit},   {"bnot", bit_not},      {"bswap", bit_swap},     {"band", bit_and},
      {"bor", bit_or},        {"bxor", bit_xor},      {"lshift", bit_lshift},  {"rshift", bit_rshift},
      {"arshift", bit_arshift}, {"rol", bit_rol},     {"ror", bit_ror},        {"tohex", bit_tohex},
      {NULL, NULL},
  };
  static const luaL_Reg table[] = {{"getn", table_getn}, {"maxn", table_maxn}, {NULL, NULL}};
  luaL_newlib(L, bit);
  lua_setglobal(L, "bit");
  lua_getglobal(L, LUA_TABLIBNAME);
  luaL_setfuncs(L, table, 0);
  lua_getglobal(L, LUA_MATHLIBNAME);
  lua_pushcfunction(L, math_pow);
  lua_setfield(L, -2, "pow");
  lua_getglobal(L, LUA_STRLIBNAME);
  lua_getfield(L, -1, "format");
  lua_pushcclosure(L, string_format, 1);
  lua_setfield(L, -2, "format");
  lua_pop(L, 3);
}
