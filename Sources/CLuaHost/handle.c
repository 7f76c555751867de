// The handle's other methods, logging, and the global tables.
#include "tasks.h"
#include <string.h>

int wl_handle_body(lua_State *L);
int wl_handle_body_chunks(lua_State *L);
int wl_handle_trailers(lua_State *L);
int wl_handle_http_call(lua_State *L);
int wl_handle_record(lua_State *L);
int wl_handle_base64_decode(lua_State *L);
int wl_handle_import_public_key(lua_State *L);
int wl_handle_verify_signature(lua_State *L);

static int handle_headers(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  if (WL_UNLIKELY(!s->objects[WL_HEADERS])) return wl_push_object(L, s, WL_HEADERS);
  // The one method that nearly every script calls: the handle is at hand already.
  lua_getiuservalue(L, 1, WL_HEADERS);
  return 1;
}

// Both heads, to look at what the other direction had; the response's only when there is one.
static int handle_request_headers(lua_State *L) {
  return wl_push_object(L, wl_self(L, WL_HANDLE), WL_OTHER_REQUEST_HEADERS);
}

static int handle_response_headers(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  if (s->function == WL_ON_REQUEST) luaL_error(L, "there is no response yet");
  return wl_push_object(L, s, WL_OTHER_RESPONSE_HEADERS);
}

static int handle_stream_info(lua_State *L) { return wl_push_object(L, wl_self(L, WL_HANDLE), WL_STREAM_INFO); }
static int handle_metadata(lua_State *L) { return wl_push_object(L, wl_self(L, WL_HANDLE), WL_METADATA); }
static int handle_connection(lua_State *L) { return wl_push_object(L, wl_self(L, WL_HANDLE), WL_CONNECTION); }

static int handle_route(lua_State *L) { return wl_push_object(L, wl_self(L, WL_HANDLE), WL_ROUTE); }
static int handle_virtual_host(lua_State *L) { return wl_push_object(L, wl_self(L, WL_HANDLE), WL_VIRTUAL_HOST); }

static int handle_filter_context(lua_State *L) {
  return wl_push_object(L, wl_self(L, WL_HANDLE), WL_FILTER_CONTEXT);
}

static int handle_stats(lua_State *L) { return wl_push_object(L, wl_self(L, WL_HANDLE), WL_STATS_SCOPE); }

static int handle_connection_info(lua_State *L) {
  return wl_push_object(L, wl_self(L, WL_HANDLE), WL_CONNECTION_INFO);
}

static int handle_settings(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->settings_ref == LUA_NOREF ? s->host->no_settings : s->settings_ref);
  return 1;
}

// respond(headers [, body])

typedef void (*field_use)(lua_State *, wl_slot *, const wl_name *, const char *, wl_text);

// Calls `use` with the value on top of the stack.
static void use_value(lua_State *L, wl_slot *s, const wl_name *name, const char *key, field_use use) {
  if (!lua_isstring(L, -1)) luaL_error(L, "the value for '%s' is a %s", key, luaL_typename(L, -1));
  size_t count;
  const char *value = lua_tolstring(L, -1, &count);
  use(L, s, name, key, wl_bytes(value, count));
}

// Calls `use` for each field of the table at index 2 but :status.
static void each_field(lua_State *L, wl_slot *s, field_use use) {
  lua_pushnil(L);
  while (lua_next(L, 2)) {
    if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "respond() takes headers by name, not by %s", luaL_typename(L, -2));
    const char *key = lua_tostring(L, -2);
    const wl_name *name = wl_name_at(L, s->host, -2);
    if (name->pseudo == WL_PSEUDO_STATUS) {
      lua_pop(L, 1);
      continue;
    }
    if (lua_istable(L, -1)) {
      lua_Integer values = luaL_len(L, -1);
      for (lua_Integer i = 1; i <= values; i++) {
        lua_geti(L, -1, i);
        use_value(L, s, name, key, use);
        lua_pop(L, 1);
      }
    } else {
      use_value(L, s, name, key, use);
    }
    lua_pop(L, 1);
  }
}

static void check_field(lua_State *L, wl_slot *s, const wl_name *name, const char *key, wl_text value) {
  static const char type[] = "content-type";
  if (name->lower.count == sizeof type - 1 && memcmp(name->lower.base, type, sizeof type - 1) == 0) s->is_typed = 1;
  wl_check_set(L, !name->is_token ? WL_BAD_NAME : !wl_is_value(value) ? WL_BAD_VALUE : WL_SET, key);
}

static void add_field(lua_State *L, wl_slot *s, const wl_name *name, const char *key, wl_text value) {
  wl_check_set(L, s->host->calls.field_add(s->exchange, WL_RESPONSE_HEADERS, name, value), key);
}

static int handle_respond(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  if (s->function == WL_ON_LOG) luaL_error(L, "respond() is not available in on_log");
  if (s->head_sent) luaL_error(L, "respond() cannot be called if headers have been continued");
  wl_check_wait(L, s, "respond()");
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t count = 0;
  const char *body = luaL_optlstring(L, 3, "", &count);
  lua_settop(L, 3);
  lua_getfield(L, 2, ":status");
  int is_number;
  lua_Integer status = lua_tointegerx(L, -1, &is_number);
  if (!is_number || status < 200 || status > 599) luaL_error(L, ":status must be between 200-599");
  lua_pop(L, 1);
  // Checked first, so that a mistake leaves no half of a response.
  s->is_typed = 0;
  each_field(L, s, check_field);
  if (!s->host->calls.respond(s->exchange, (int)status, wl_bytes(body, count), s->is_typed)) {
    luaL_error(L, "a body of %d bytes is too long", (int)count);
  }
  each_field(L, s, add_field);
  // Nothing after respond() runs.
  s->wait = WL_RESPONDED;
  return lua_yield(L, 0);
}

// Time

static int slept(lua_State *L, int status, lua_KContext context) {
  (void)L;
  (void)status;
  (void)context;
  return 0;
}

static int sleep_for(lua_State *L, wl_slot *s, int index) {
  lua_Number milliseconds = luaL_checknumber(L, index);
  luaL_argcheck(L, milliseconds >= 0 && milliseconds <= 3600e3, index, "0 to 3600000 milliseconds");
  wl_check_wait(L, s, "sleep()");
  s->milliseconds = (uint32_t)milliseconds;
  if (s->milliseconds < milliseconds) s->milliseconds++;
  s->wait = WL_SLEEP;
  return lua_yieldk(L, 0, 0, slept);
}

static int handle_sleep(lua_State *L) { return sleep_for(L, wl_self(L, WL_HANDLE), 2); }

static int weft_sleep(lua_State *L) {
  wl_host *h = wl_host_of(L);
  wl_slot *s = h->running;
  if (!s) luaL_error(L, "weft.sleep() is not for the time when a script is loaded; use on_load");
  wl_task *task = wl_task_of(L);
  if (task) {
    lua_Number milliseconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, milliseconds >= 0 && milliseconds <= 3600e3, 1, "0 to 3600000 milliseconds");
    wl_check_wait_in_task(L, s, "sleep()");
    task->state = WL_TASK_SLEEP;
    task->wake = h->calls.library.monotonic(h->context) / 1000000 + (uint64_t)milliseconds;
    return lua_yieldk(L, 0, 0, slept);
  }
  return sleep_for(L, s, 1);
}

enum { MILLISECOND = 0, MICROSECOND = 1 };

static lua_Integer now(lua_State *L, int resolution) {
  return (lua_Integer)(wl_wall(wl_host_of(L)) / (resolution == MICROSECOND ? 1000 : 1000000));
}

// The resolution that argument 2 names; -1: none.
static lua_Integer resolution_argument(lua_State *L) {
  const char *text = luaL_optstring(L, 2, "");
  if (!*text) return MILLISECOND;
  int is_number;
  lua_Integer resolution = lua_tointegerx(L, 2, &is_number);
  return is_number ? resolution : -1;
}

static int handle_timestamp(lua_State *L) {
  wl_self(L, WL_HANDLE);
  lua_Integer resolution = resolution_argument(L);
  if (resolution != MILLISECOND) luaL_error(L, "timestamp format must be MILLISECOND.");
  lua_pushinteger(L, now(L, MILLISECOND));
  return 1;
}

static int handle_timestamp_string(lua_State *L) {
  wl_self(L, WL_HANDLE);
  lua_Integer resolution = resolution_argument(L);
  if (resolution != MILLISECOND && resolution != MICROSECOND) {
    luaL_error(L, "timestamp format must be MILLISECOND or MICROSECOND.");
  }
  lua_pushfstring(L, "%I", (LUAI_UACINT)now(L, (int)resolution));
  return 1;
}

// Text

static int handle_base64(lua_State *L) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  wl_self(L, WL_HANDLE);
  size_t count;
  const unsigned char *in = (const unsigned char *)luaL_checklstring(L, 2, &count);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, (count + 2) / 3 * 4);
  size_t n = 0;
  for (size_t i = 0; i < count; i += 3) {
    unsigned v = (unsigned)in[i] << 16 | (i + 1 < count ? (unsigned)in[i + 1] << 8 : 0) | (i + 2 < count ? in[i + 2] : 0);
    out[n++] = digits[v >> 18];
    out[n++] = digits[v >> 12 & 63];
    out[n++] = i + 1 < count ? digits[v >> 6 & 63] : '=';
    out[n++] = i + 2 < count ? digits[v & 63] : '=';
  }
  luaL_pushresultsize(&b, n);
  return 1;
}

// Routing

static int handle_override_host(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  size_t count;
  const char *host = luaL_checklstring(L, 2, &count);
  if (!lua_isnone(L, 3)) luaL_checktype(L, 3, LUA_TBOOLEAN);
  // Once the request is on its way there is nothing to choose, which Envoy overlooks.
  wl_text address = wl_bytes(host, count);
  int applies = s->function == WL_ON_REQUEST && !s->head_sent;
  if (!s->host->calls.override_host(applies ? s->exchange : NULL, address, lua_toboolean(L, 3))) {
    luaL_error(L, "host is not a valid IP address");
  }
  return 0;
}

static int handle_clear_route(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  if (s->function == WL_ON_REQUEST && !s->head_sent) s->host->calls.clear_route(s->exchange);
  return 0;
}

const luaL_Reg wl_handle_methods[] = {
    {"headers", handle_headers},
    {"body", wl_handle_body},
    {"bodyChunks", wl_handle_body_chunks},
    {"trailers", wl_handle_trailers},
    {"respond", handle_respond},
    {"httpCall", wl_handle_http_call},
    {"record", wl_handle_record},
    {"requestHeaders", handle_request_headers},
    {"responseHeaders", handle_response_headers},
    {"streamInfo", handle_stream_info},
    {"metadata", handle_metadata},
    {"connection", handle_connection},
    {"settings", handle_settings},
    {"filterContext", handle_filter_context},
    {"route", handle_route},
    {"virtualHost", handle_virtual_host},
    {"connectionStreamInfo", handle_connection_info},
    {"stats", handle_stats},
    {"sleep", handle_sleep},
    {"timestamp", handle_timestamp},
    {"timestampString", handle_timestamp_string},
    {"base64Escape", handle_base64},
    {"base64Decode", wl_handle_base64_decode},
    {"importPublicKey", wl_handle_import_public_key},
    {"verifySignature", wl_handle_verify_signature},
    {"setUpstreamOverrideHost", handle_override_host},
    {"clearRouteCache", handle_clear_route},
    {NULL, NULL},
};

// Logging, which every object can do.

static int log_at(lua_State *L, int level) {
  wl_host *h = wl_host_of(L);
  if (!h->running) luaL_error(L, "object used outside of proper scope");
  size_t count;
  const char *message = luaL_checklstring(L, 2, &count);
  h->calls.log(h->running->owner, level, wl_bytes(message, count));
  return 0;
}

static int log_trace(lua_State *L) { return log_at(L, WL_TRACE); }
static int log_debug(lua_State *L) { return log_at(L, WL_DEBUG); }
static int log_info(lua_State *L) { return log_at(L, WL_INFO); }
static int log_warn(lua_State *L) { return log_at(L, WL_WARN); }
static int log_err(lua_State *L) { return log_at(L, WL_ERROR); }
static int log_critical(lua_State *L) { return log_at(L, WL_CRITICAL); }

const luaL_Reg wl_log_methods[] = {
    {"logTrace", log_trace}, {"logDebug", log_debug}, {"logInfo", log_info},
    {"logWarn", log_warn},   {"logErr", log_err},     {"logCritical", log_critical},
    {NULL, NULL},
};

void wl_install_globals(lua_State *L) {
  static const luaL_Reg weft[] = {{"sleep", weft_sleep}, {NULL, NULL}};
  luaL_newlib(L, weft);
  lua_setglobal(L, "weft");
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, MILLISECOND);
  lua_setfield(L, -2, "MILLISECOND");
  lua_pushinteger(L, MICROSECOND);
  lua_setfield(L, -2, "MICROSECOND");
  lua_setglobal(L, "EnvoyTimestampResolution");
}
