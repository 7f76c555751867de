// What scripts find of Lua's own libraries: nothing that reaches files, processes or other states, and nothing that
// escapes the limits.
#include "host.h"
#include <stdlib.h>
#include <string.h>

// Bytes of text that one `load` compiles: compiling cannot be interrupted.
#define LOAD_BYTES (64 * 1024)

static int sandbox_load(lua_State *L) {
  size_t count;
  const char *text;
  const char *name;
  int has_environment = !lua_isnone(L, 4);
  if (lua_isstring(L, 1)) {
    text = lua_tolstring(L, 1, &count);
    name = luaL_optstring(L, 2, text);
  } else {
    name = luaL_optstring(L, 2, "=(load)");
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_Buffer b;
    lua_settop(L, 4);
    luaL_buffinit(L, &b);
    for (size_t total = 0;;) {
      lua_pushvalue(L, 1);
      lua_call(L, 0, 1);
      size_t piece = 0;
      const char *p = lua_tolstring(L, -1, &piece);
      if (!p || piece == 0) {
        lua_pop(L, 1);
        break;
      }
      total += piece;
      luaL_argcheck(L, total <= LOAD_BYTES, 1, "too long");
      luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    text = lua_tolstring(L, -1, &count);
  }
  luaL_argcheck(L, count <= LOAD_BYTES, 1, "too long");
  // Whatever mode is asked for: a binary chunk could break out of the virtual machine.
  if (luaL_loadbufferx(L, text, count, name, "t") != LUA_OK) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  if (has_environment) {
    lua_pushvalue(L, 4);
    if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
  }
  return 1;
}

static int sandbox_collectgarbage(lua_State *L) {
  const char *option = luaL_optstring(L, 1, "collect");
  if (strcmp(option, "count") != 0) luaL_error(L, "collectgarbage(\"%s\") is not available, only \"count\"", option);
  lua_pushnumber(L, (lua_Number)wl_memory(wl_host_of(L)) / 1024);
  return 1;
}

// As Lua's, but for finalizers: they run with hooks switched off, so that no limit would hold for them.
static int sandbox_setmetatable(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int type = lua_type(L, 2);
  luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) luaL_error(L, "cannot change a protected metatable");
  if (type == LUA_TTABLE) {
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, 2) != LUA_TNIL) luaL_error(L, "a metatable with __gc is not available; use __close");
  }
  lua_settop(L, 2);
  lua_setmetatable(L, 1);
  return 1;
}

// Runs the script's message handler, but not for the error that ends the call: a handler that is called from a hook
// runs with hooks switched off.
static int guarded_handler(lua_State *L) {
  if (wl_host_of(L)->expired) return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

// Calls within which one may still be protected. An error that a protected call catches gives the C stack back but not
// the calls above, so that without this, calls could be nested until memory ends; and then each error takes as long as the
// calls are many.
#define PROTECTED_DEPTH 1000

static void check_depth(lua_State *L) {
  lua_Debug ar;
  if (lua_getstack(L, PROTECTED_DEPTH, &ar)) luaL_error(L, "stack overflow (pcall within %d calls)", PROTECTED_DEPTH);
}

// For xpcall and pcall. kept: values at the bottom of the stack that are no results.
static int finish_protected(lua_State *L, int status, lua_KContext kept) {
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_pushboolean(L, 0);
    lua_pushvalue(L, -2);
    return 2;
  }
  return lua_gettop(L) - (int)kept;
}

static int sandbox_pcall(lua_State *L) {
  luaL_checkany(L, 1);
  check_depth(L);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  return finish_protected(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish_protected), 0);
}

static int sandbox_xpcall(lua_State *L) {
  int count = lua_gettop(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  check_depth(L);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, guarded_handler, 1);
  lua_replace(L, 2);
  lua_pushboolean(L, 1);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);
  return finish_protected(L, lua_pcallk(L, count - 2, LUA_MULTRET, 2, 2, finish_protected), 2);
}

// The bundle's own files. `a.b` is a/b.lua or a/b/init.lua. A file is run once in a state.
static const wl_source *find_source(wl_host *h, const char *path) {
  size_t count = strlen(path);
  for (size_t i = 0; i < h->source_count; i++) {
    if (h->sources[i].path.count == count && memcmp(h->sources[i].path.base, path, count) == 0) return &h->sources[i];
  }
  return NULL;
}

static char loaded_key, loading_key;

static int sandbox_require(lua_State *L) {
  wl_host *h = wl_host_of(L);
  const char *name = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &loaded_key);
  lua_pushvalue(L, 1);
  lua_rawget(L, 2);
  if (lua_touserdata(L, 3) == &loading_key) luaL_error(L, "module '%s' requires itself", name);
  if (!lua_isnil(L, 3)) return 1;
  lua_pop(L, 1);

  const char *path = luaL_gsub(L, name, ".", "/");
  const char *file = lua_pushfstring(L, "%s.lua", path);
  const wl_source *source = find_source(h, file);
  if (!source) {
    const char *inner = lua_pushfstring(L, "%s/init.lua", path);
    if (!(source = find_source(h, inner))) {
      luaL_error(L, "module '%s' not found: the bundle has neither %s nor %s", name, file, inner);
    }
  }
  lua_settop(L, 2);
  lua_pushlstring(L, (const char *)source->path.base, source->path.count);
  const char *chunk = lua_pushfstring(L, "@%s", lua_tostring(L, 3));
  if (luaL_loadbufferx(L, (const char *)source->text.base, source->text.count, chunk, "t") != LUA_OK) lua_error(L);
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, &loading_key);
  lua_rawset(L, 2);
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    // Not loaded, so that a later attempt tells the same error.
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    lua_rawset(L, 2);
    lua_error(L);
  }
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
  }
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -2);
  lua_rawset(L, 2);
  return 1;
}

void wl_log_arguments(lua_State *L, int level) {
  wl_host *h = wl_host_of(L);
  // Nobody sees what is printed while files are run: they are run once more for each worker.
  if (!h->running) return;
  void *owner = h->running->owner;
  if (!(owner ? h->calls.log_enabled(owner, level) : h->calls.library.log_enabled(h->context, level))) return;
  int count = lua_gettop(L);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (int i = 1; i <= count; i++) {
    if (i > 1) luaL_addchar(&b, '\t');
    luaL_tolstring(L, i, NULL);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  size_t n;
  const char *text = lua_tolstring(L, -1, &n);
  if (owner) {
    h->calls.log(owner, level, wl_bytes(text, n));
  } else {
    h->calls.library.log(h->context, level, wl_bytes(text, n));
  }
}

static int sandbox_print(lua_State *L) {
  wl_log_arguments(L, WL_INFO);
  return 0;
}

static int sandbox_warn(lua_State *L) {
  luaL_checkstring(L, 1);
  wl_log_arguments(L, WL_WARN);
  return 0;
}

static void remove_fields(lua_State *L, const char *const *names) {
  for (; *names; names++) {
    lua_pushnil(L);
    lua_setfield(L, -2, *names);
  }
}

void wl_install_sandbox(lua_State *L) {
  static const char *const base[] = {"dofile", "loadfile", NULL};
  static const char *const string[] = {"dump", NULL};
  static const char *const os[] = {"execute", "exit", "getenv", "remove", "rename", "setlocale", "tmpname", NULL};
  static const luaL_Reg functions[] = {
      {"load", sandbox_load},       {"loadstring", sandbox_load},           {"collectgarbage", sandbox_collectgarbage},
      {"pcall", sandbox_pcall},     {"xpcall", sandbox_xpcall},             {"setmetatable", sandbox_setmetatable},
      {"require", sandbox_require}, {"print", sandbox_print},               {"warn", sandbox_warn},
      {NULL, NULL},
  };
  lua_pushglobaltable(L);
  remove_fields(L, base);
  luaL_setfuncs(L, functions, 0);
  lua_getfield(L, -1, LUA_STRLIBNAME);
  remove_fields(L, string);
  lua_pop(L, 1);
  lua_getfield(L, -1, LUA_OSLIBNAME);
  remove_fields(L, os);
  lua_pop(L, 1);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loaded_key);
}
