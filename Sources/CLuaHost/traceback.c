// luaL_traceback looks for the bottom of the stack and reaches each level from the top: with the hundred thousand levels of
// a function that calls itself for ever, it takes longer than all that the call itself may take.
#include "host.h"

// Levels up to which the whole stack is looked at, and those that are written of a deeper one.
#define LOOKED_AT 1000
#define WRITTEN 15

static void write_level(lua_State *L, luaL_Buffer *to, lua_Debug *ar) {
  if (ar->currentline > 0) {
    lua_pushfstring(L, "\n\t%s:%d: in ", ar->short_src, ar->currentline);
  } else {
    lua_pushfstring(L, "\n\t%s: in ", ar->short_src);
  }
  luaL_addvalue(to);
  if (*ar->namewhat) {
    lua_pushfstring(L, "%s '%s'", ar->namewhat, ar->name);
  } else if (*ar->what == 'm') {
    lua_pushliteral(L, "main chunk");
  } else if (*ar->what == 'C') {
    lua_pushliteral(L, "?");
  } else {
    lua_pushfstring(L, "function <%s:%d>", ar->short_src, ar->linedefined);
  }
  luaL_addvalue(to);
  if (ar->istailcall) luaL_addstring(to, "\n\t(...tail calls...)");
}

void wl_push_traceback(lua_State *L, lua_State *thread, const char *message, int level) {
  lua_Debug ar;
  if (!lua_getstack(thread, level + LOOKED_AT, &ar)) {
    luaL_traceback(L, thread, message, level);
    return;
  }
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  luaL_addstring(&text, message);
  luaL_addstring(&text, "\nstack traceback:");
  for (int i = level; i < level + WRITTEN && lua_getstack(thread, i, &ar); i++) {
    lua_getinfo(thread, "Slnt", &ar);
    write_level(L, &text, &ar);
  }
  lua_pushfstring(L, "\n\t...\t(more than %d levels)", LOOKED_AT);
  luaL_addvalue(&text);
  luaL_pushresult(&text);
}
