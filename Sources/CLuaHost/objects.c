// The objects that scripts hold, and how one is recognised.
#include "host.h"

typedef struct {
  // As error messages call it.
  const char *name;
  const luaL_Reg *methods;
  lua_CFunction pairs;
} class_of_objects;

// By kind.
static const class_of_objects classes[WL_OBJECTS] = {
    [WL_HANDLE] = {"handle", wl_handle_methods, NULL},
    [WL_HEADERS] = {"headers", wl_header_methods, wl_headers_pairs},
    [WL_TRAILERS] = {"trailers", wl_header_methods, wl_headers_pairs},
    [WL_BODY] = {"buffer", wl_buffer_methods, NULL},
    [WL_CHUNK] = {"buffer", wl_buffer_methods, NULL},
    [WL_STREAM_INFO] = {"streamInfo", wl_stream_info_methods, NULL},
    [WL_DYNAMIC_METADATA] = {"dynamicMetadata", wl_dynamic_metadata_methods, wl_dynamic_metadata_pairs},
    [WL_METADATA] = {"metadata", wl_metadata_methods, wl_metadata_pairs},
    [WL_CONNECTION] = {"connection", wl_connection_methods, NULL},
    [WL_OTHER_REQUEST_HEADERS] = {"headers", wl_header_methods, wl_headers_pairs},
    [WL_OTHER_RESPONSE_HEADERS] = {"headers", wl_header_methods, wl_headers_pairs},
    [WL_FILTER_CONTEXT] = {"filterContext", wl_filter_context_methods, wl_filter_context_pairs},
    [WL_ROUTE] = {"route", wl_route_methods, NULL},
    [WL_VIRTUAL_HOST] = {"virtualHost", wl_virtual_host_methods, NULL},
    [WL_FILTER_STATE] = {"filterState", wl_filter_state_methods, NULL},
    [WL_CONNECTION_INFO] = {"connectionStreamInfo", wl_connection_info_methods, NULL},
    [WL_CONNECTION_METADATA] = {"dynamicMetadata", wl_connection_metadata_methods, wl_connection_metadata_pairs},
    [WL_TLS] = {"ssl", wl_tls_methods, NULL},
    [WL_PEER_NAME] = {"parsedSubject", wl_peer_name_methods, NULL},
    [WL_STATS_SCOPE] = {"stats", wl_stats_methods, NULL},
};

// Registry keys of the metatables.
static char keys[WL_OBJECTS];

void wl_install_objects(lua_State *L) {
  for (int kind = 0; kind < WL_OBJECTS; kind++) {
    const class_of_objects *c = &classes[kind];
    lua_createtable(L, 0, 4);
    lua_newtable(L);
    luaL_setfuncs(L, c->methods, 0);
    luaL_setfuncs(L, wl_log_methods, 0);
    if (kind == WL_FILTER_CONTEXT) lua_pushcclosure(L, wl_filter_context_index, 1);
    lua_setfield(L, -2, "__index");
    if (c->pairs) {
      lua_pushcfunction(L, c->pairs);
      lua_setfield(L, -2, "__pairs");
    }
    lua_pushstring(L, c->name);
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &keys[kind]);
  }
}

static void *new_object(lua_State *L, int kind, int values) {
  // Only the address counts; one byte keeps it unique.
  void *object = lua_newuserdatauv(L, 1, values);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &keys[kind]);
  lua_setmetatable(L, -2);
  return object;
}

void wl_new_handle(lua_State *L, wl_slot *slot, int function) {
  slot->sets[function - 1][WL_HANDLE] = new_object(L, WL_HANDLE, WL_OBJECTS);
}

wl_slot *wl_self(lua_State *L, int kind) {
  wl_slot *s = wl_host_of(L)->running;
  void *object = lua_touserdata(L, 1);
  if (WL_LIKELY(object && s && object == s->objects[kind])) return s;
  if (lua_type(L, 1) == LUA_TUSERDATA && lua_getmetatable(L, 1)) {
    for (int other = 0; other < WL_OBJECTS; other++) {
      lua_rawgetp(L, LUA_REGISTRYINDEX, &keys[other]);
      if (classes[other].methods == classes[kind].methods && lua_rawequal(L, -1, -2)) {
        luaL_error(L, "object used outside of proper scope");
      }
      lua_pop(L, 1);
    }
  }
  luaL_typeerror(L, 1, classes[kind].name);
  return NULL;
}

// The handle keeps the objects as its user values, so that they live as long as it does.
int wl_push_object(lua_State *L, wl_slot *s, int kind) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->handle_ref);
  if (WL_UNLIKELY(!s->objects[kind])) {
    void *object = new_object(L, kind, 0);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, -3, kind);
    s->objects[kind] = object;
    return 1;
  }
  lua_getiuservalue(L, -1, kind);
  return 1;
}

void wl_check_wait(lua_State *L, wl_slot *s, const char *what) {
  if (s->function == WL_ON_LOG) luaL_error(L, "%s cannot wait in on_log: the exchange has ended", what);
  if (s->host->closing) luaL_error(L, "%s cannot wait while a coroutine is closed", what);
  if (s->thread != L) luaL_error(L, "%s cannot wait inside a coroutine of the script's own", what);
  if (!lua_isyieldable(L)) luaL_error(L, "%s cannot wait here: a C function or metamethod stands in between", what);
}
