// What a handle tells of its place: the filter context, route and virtual host, and the connection's own stream info.
#include "host.h"

// The filter context: the settings as Envoy gives them, read with get() or by their names.

static void push_settings(lua_State *L, wl_slot *s) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->settings_ref == LUA_NOREF ? s->host->no_settings : s->settings_ref);
}

static int filter_context_get(lua_State *L) {
  wl_slot *s = wl_self(L, WL_FILTER_CONTEXT);
  luaL_checkstring(L, 2);
  push_settings(L, s);
  lua_pushvalue(L, 2);
  lua_gettable(L, -2);
  return 1;
}

int wl_filter_context_index(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  if (lua_type(L, 2) != LUA_TSTRING) return 1;
  return filter_context_get(L);
}

int wl_filter_context_pairs(lua_State *L) {
  wl_slot *s = wl_self(L, WL_FILTER_CONTEXT);
  lua_getglobal(L, "next");
  push_settings(L, s);
  return 2;
}

const luaL_Reg wl_filter_context_methods[] = {
    {"get", filter_context_get}, {"pairs", wl_filter_context_pairs}, {NULL, NULL}};

// Route and virtual host are one resource here, so that both have its metadata.

static int route_metadata(lua_State *L) { return wl_push_object(L, wl_self(L, WL_ROUTE), WL_METADATA); }
static int virtual_host_metadata(lua_State *L) { return wl_push_object(L, wl_self(L, WL_VIRTUAL_HOST), WL_METADATA); }

const luaL_Reg wl_route_methods[] = {{"metadata", route_metadata}, {NULL, NULL}};
const luaL_Reg wl_virtual_host_methods[] = {{"metadata", virtual_host_metadata}, {NULL, NULL}};

// Objects that filters written in C++ leave in Envoy: here are none.

static int filter_state_get(lua_State *L) {
  wl_self(L, WL_FILTER_STATE);
  luaL_checkstring(L, 2);
  luaL_optstring(L, 3, "");
  lua_pushnil(L);
  return 1;
}

const luaL_Reg wl_filter_state_methods[] = {{"get", filter_state_get}, {NULL, NULL}};

// The connection's stream info: no filter of connections leaves anything there.

static int connection_info_metadata(lua_State *L) {
  return wl_push_object(L, wl_self(L, WL_CONNECTION_INFO), WL_CONNECTION_METADATA);
}

static int connection_info_typed_metadata(lua_State *L) {
  wl_self(L, WL_CONNECTION_INFO);
  luaL_checkstring(L, 2);
  lua_pushnil(L);
  return 1;
}

const luaL_Reg wl_connection_info_methods[] = {{"dynamicMetadata", connection_info_metadata},
                                               {"dynamicTypedMetadata", connection_info_typed_metadata},
                                               {NULL, NULL}};

static int connection_metadata_get(lua_State *L) {
  wl_self(L, WL_CONNECTION_METADATA);
  luaL_checkstring(L, 2);
  lua_pushnil(L);
  return 1;
}

int wl_connection_metadata_pairs(lua_State *L) {
  wl_self(L, WL_CONNECTION_METADATA);
  lua_getglobal(L, "next");
  lua_newtable(L);
  return 2;
}

const luaL_Reg wl_connection_metadata_methods[] = {
    {"get", connection_metadata_get}, {"pairs", wl_connection_metadata_pairs}, {NULL, NULL}};
