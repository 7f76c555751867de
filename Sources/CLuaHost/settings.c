// check_settings(settings): what a script says of settings before they are used.
#include "host.h"

// Steps of the path to a setting.
#define STEPS 16

typedef struct {
  wl_text settings;
  wl_text answer;
} settings_check;

static int run_check(lua_State *L) {
  settings_check *check = lua_touserdata(L, 1);
  wl_host *h = wl_host_of(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, h->check_settings);
  if (check->settings.base) {
    wl_push_frozen(L, check->settings);
  } else {
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->no_settings);
  }
  lua_call(L, 1, LUA_MULTRET);
  int count = lua_gettop(L) - 1;
  if (count == 0 || lua_isnil(L, 2)) return 0;
  if (lua_type(L, 2) != LUA_TSTRING) {
    luaL_error(L, "check_settings returns nothing, or what is wrong as a string, not a %s", luaL_typename(L, 2));
  }
  if (count > 1 + STEPS) luaL_error(L, "check_settings returns a path of more than %d steps", STEPS);
  lua_createtable(L, count, 0);
  for (int i = 1; i <= count; i++) {
    if (lua_type(L, 1 + i) != LUA_TSTRING && !lua_isinteger(L, 1 + i)) {
      luaL_error(L, "check_settings returns, after what is wrong, the names and positions that lead to the setting, not a %s",
                 luaL_typename(L, 1 + i));
    }
    lua_pushvalue(L, 1 + i);
    lua_rawseti(L, -2, i);
  }
  check->answer = wl_write_tape(L, -1);
  return 0;
}

int wl_has_check_settings(const wl_host *h) { return h->check_settings != LUA_NOREF; }

int wl_check_settings(wl_host *h, wl_text settings, uint64_t cpu, wl_text *answer) {
  settings_check check = {settings, {NULL, 0}};
  uint64_t limit = h->cpu_limit;
  h->cpu_limit = cpu;
  int outcome = wl_protect(h, run_check, &check);
  h->cpu_limit = limit;
  *answer = check.answer;
  return outcome;
}
