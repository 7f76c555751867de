// Stream info, metadata, connection.
#include "host.h"

static int push_info(lua_State *L, int which) {
  wl_slot *s = wl_self(L, WL_STREAM_INFO);
  uint8_t buffer[WL_TEXT_BYTES];
  wl_text text = s->host->calls.info(s->exchange, which, buffer);
  lua_pushlstring(L, text.base ? (const char *)text.base : "", text.base ? text.count : 0);
  return 1;
}

static int info_protocol(lua_State *L) { return push_info(L, WL_INFO_PROTOCOL); }
static int info_route(lua_State *L) { return push_info(L, WL_INFO_ROUTE); }
static int info_service(lua_State *L) { return push_info(L, WL_INFO_SERVICE); }
static int info_local(lua_State *L) { return push_info(L, WL_INFO_LOCAL_ADDRESS); }
static int info_remote(lua_State *L) { return push_info(L, WL_INFO_REMOTE_ADDRESS); }
static int info_direct_remote(lua_State *L) { return push_info(L, WL_INFO_DIRECT_REMOTE_ADDRESS); }
static int info_upstream(lua_State *L) { return push_info(L, WL_INFO_UPSTREAM_ADDRESS); }
static int info_server_name(lua_State *L) { return push_info(L, WL_INFO_SERVER_NAME); }
static int info_details(lua_State *L) { return push_info(L, WL_INFO_DETAILS); }
static int info_flags(lua_State *L) { return push_info(L, WL_INFO_FLAGS); }

// There are no virtual clusters here: no request is in one.
static int info_virtual_cluster(lua_State *L) {
  wl_self(L, WL_STREAM_INFO);
  lua_pushliteral(L, "");
  return 1;
}

static int info_attempts(lua_State *L) {
  wl_slot *s = wl_self(L, WL_STREAM_INFO);
  lua_pushinteger(L, s->host->calls.attempts(s->exchange));
  return 1;
}

// The object for the connection's TLS, or nil.
static int push_tls(lua_State *L, wl_slot *s) {
  if (s->host->calls.is_tls(s->exchange)) return wl_push_object(L, s, WL_TLS);
  lua_pushnil(L);
  return 1;
}

static int info_tls(lua_State *L) { return push_tls(L, wl_self(L, WL_STREAM_INFO)); }

// What other filters would have left as protocol buffers: there are none.
static int info_typed_metadata(lua_State *L) {
  wl_self(L, WL_STREAM_INFO);
  luaL_checkstring(L, 2);
  lua_pushnil(L);
  return 1;
}

static int info_filter_state(lua_State *L) { return wl_push_object(L, wl_self(L, WL_STREAM_INFO), WL_FILTER_STATE); }

static int info_drain(lua_State *L) {
  wl_slot *s = wl_self(L, WL_STREAM_INFO);
  s->host->calls.drain(s->exchange);
  return 0;
}

static int info_dynamic_metadata(lua_State *L) {
  return wl_push_object(L, wl_self(L, WL_STREAM_INFO), WL_DYNAMIC_METADATA);
}

const luaL_Reg wl_stream_info_methods[] = {
    {"protocol", info_protocol},
    {"routeName", info_route},
    {"serviceName", info_service},
    {"virtualClusterName", info_virtual_cluster},
    {"downstreamLocalAddress", info_local},
    {"downstreamDirectLocalAddress", info_local},
    {"downstreamRemoteAddress", info_remote},
    {"downstreamDirectRemoteAddress", info_direct_remote},
    {"upstreamAddress", info_upstream},
    {"requestedServerName", info_server_name},
    {"responseCodeDetails", info_details},
    {"attemptCount", info_attempts},
    {"responseFlags", info_flags},
    {"downstreamSslConnection", info_tls},
    {"dynamicTypedMetadata", info_typed_metadata},
    {"filterState", info_filter_state},
    {"drainConnectionUponCompletion", info_drain},
    {"dynamicMetadata", info_dynamic_metadata},
    {NULL, NULL},
};

static int connection_ssl(lua_State *L) { return push_tls(L, wl_self(L, WL_CONNECTION)); }

const luaL_Reg wl_connection_methods[] = {{"ssl", connection_ssl}, {NULL, NULL}};

static int push_value(lua_State *L, wl_text tape) {
  if (tape.base) {
    wl_push_tape(L, tape);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

// Pushes what pairs() gives for a table that was made for it, or for nothing.
static int pairs_of(lua_State *L, wl_text tape) {
  lua_getglobal(L, "next");
  if (tape.base) {
    wl_push_tape(L, tape);
  } else {
    lua_newtable(L);
  }
  return 2;
}

static int dynamic_get(lua_State *L) {
  wl_slot *s = wl_self(L, WL_DYNAMIC_METADATA);
  size_t count;
  const char *filter = luaL_checklstring(L, 2, &count);
  return push_value(L, s->host->calls.dynamic_metadata(s->exchange, s->owner, wl_bytes(filter, count)));
}

static int dynamic_set(lua_State *L) {
  wl_slot *s = wl_self(L, WL_DYNAMIC_METADATA);
  size_t filter_count, key_count;
  const char *filter = luaL_checklstring(L, 2, &filter_count);
  const char *key = luaL_checklstring(L, 3, &key_count);
  lua_settop(L, 4);
  wl_text tape = wl_write_tape(L, 4);
  int taken = s->host->calls.set_dynamic_metadata(
      s->exchange, wl_bytes(filter, filter_count), wl_bytes(key, key_count), tape);
  if (!taken) luaL_error(L, "the exchange has too much dynamic metadata");
  return 0;
}

int wl_dynamic_metadata_pairs(lua_State *L) {
  wl_slot *s = wl_self(L, WL_DYNAMIC_METADATA);
  return pairs_of(L, s->host->calls.dynamic_metadata_all(s->exchange, s->owner));
}

const luaL_Reg wl_dynamic_metadata_methods[] = {
    {"get", dynamic_get},
    {"set", dynamic_set},
    {"pairs", wl_dynamic_metadata_pairs},
    {NULL, NULL},
};

static int metadata_get(lua_State *L) {
  wl_slot *s = wl_self(L, WL_METADATA);
  luaL_checkstring(L, 2);
  wl_text tape = s->host->calls.route_metadata(s->exchange, s->owner);
  if (!tape.base) return push_value(L, tape);
  wl_push_tape(L, tape);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

int wl_metadata_pairs(lua_State *L) {
  wl_slot *s = wl_self(L, WL_METADATA);
  return pairs_of(L, s->host->calls.route_metadata(s->exchange, s->owner));
}

const luaL_Reg wl_metadata_methods[] = {{"get", metadata_get}, {"pairs", wl_metadata_pairs}, {NULL, NULL}};
