// Functions of Lua's libraries that cannot be interrupted and take long when they are given much: they are Lua's own, behind
// a look at their arguments.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "host.h"
#include <string.h>

// Bytes of a format of dates, and of one of string.format and string.pack.
#define DATE_BYTES 256
#define FORMAT_BYTES (64 * 1024)
// Arguments of string.format, and bytes of strings among them that are to be quoted.
#define FORMAT_ARGUMENTS 250
#define QUOTED_BYTES (256 * 1024)
// Arguments of utf8.char.
#define CHARACTERS 65536

// Runs the function that upvalue 1 is, which has none itself, in this call: so that its errors name the script's line and
// the function that is meant.
static int pass_on(lua_State *L) { return lua_tocfunction(L, lua_upvalueindex(1))(L); }

static int bounded_date(lua_State *L) {
  size_t count;
  luaL_optlstring(L, 1, "%c", &count);
  luaL_argcheck(L, count <= DATE_BYTES, 1, "a format of more than 256 bytes");
  return pass_on(L);
}

void wl_check_format(lua_State *L) {
  size_t count;
  const char *format = luaL_checklstring(L, 1, &count);
  luaL_argcheck(L, count <= FORMAT_BYTES, 1, "a format of more than 64 KiB");
  int arguments = lua_gettop(L) - 1;
  if (arguments > FORMAT_ARGUMENTS) luaL_error(L, "more than %d arguments of 'format'", FORMAT_ARGUMENTS);
  if (memmem(format, count, "%q", 2)) {
    size_t bytes = 0;
    for (int i = 2; i <= arguments + 1; i++) bytes += lua_type(L, i) == LUA_TSTRING ? lua_rawlen(L, i) : 0;
    if (bytes > QUOTED_BYTES) luaL_error(L, "'format' quotes at most 256 KiB");
  }
}

// string.pack, packsize and unpack.
static int bounded_pack(lua_State *L) {
  size_t count;
  luaL_checklstring(L, 1, &count);
  luaL_argcheck(L, count <= FORMAT_BYTES, 1, "a format of more than 64 KiB");
  return pass_on(L);
}

static int bounded_char(lua_State *L) {
  if (lua_gettop(L) > CHARACTERS) luaL_error(L, "more than %d arguments of 'char'", CHARACTERS);
  return pass_on(L);
}

void wl_install_bounded(lua_State *L) {
  static const struct {
    const char *library;
    luaL_Reg function;
  } functions[] = {
      {LUA_OSLIBNAME, {"date", bounded_date}},         {LUA_STRLIBNAME, {"pack", bounded_pack}},
      {LUA_STRLIBNAME, {"packsize", bounded_pack}},    {LUA_STRLIBNAME, {"unpack", bounded_pack}},
      {LUA_UTF8LIBNAME, {"char", bounded_char}},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    lua_getglobal(L, functions[i].library);
    lua_getfield(L, -1, functions[i].function.name);
    lua_pushcclosure(L, functions[i].function.func, 1);
    lua_setfield(L, -2, functions[i].function.name);
    lua_pop(L, 1);
  }
}
