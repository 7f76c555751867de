// handle:httpCall(cluster, headers, body, timeout_ms [, asynchronous]), or with a table of options in place of the last
// two.
#include "host.h"
#include <string.h>

// Calls that one run of a function may make.
#define CALL_LIMIT 64

static uint32_t timeout(lua_State *L, lua_Number milliseconds) {
  if (!(milliseconds >= 0)) luaL_error(L, "http call timeout must be >= 0");
  // No limit is the longest one.
  return milliseconds == 0 || milliseconds > 3600e3 ? 3600000 : (uint32_t)milliseconds;
}

static wl_call_options table_of_options(lua_State *L) {
  wl_call_options o = {timeout(L, 0), 0, 0, 1};
  lua_pushnil(L);
  while (lua_next(L, 5)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      luaL_error(L, "httpCall() takes options by name, not by %s", luaL_typename(L, -2));
    }
    const char *key = lua_tostring(L, -2);
    if (strcmp(key, "timeout_ms") == 0) {
      int is_number;
      lua_Number milliseconds = lua_tonumberx(L, -1, &is_number);
      if (!is_number) luaL_error(L, "http call option 'timeout_ms' must be a number, not %s", luaL_typename(L, -1));
      o.milliseconds = timeout(L, milliseconds);
    } else if (strcmp(key, "asynchronous") == 0) {
      o.asynchronous = lua_toboolean(L, -1);
    } else if (strcmp(key, "return_duplicate_headers") == 0) {
      o.duplicates = lua_toboolean(L, -1);
    } else if (strcmp(key, "send_xff") == 0) {
      o.forwarded_for = lua_toboolean(L, -1);
    } else if (strcmp(key, "trace_sampled") != 0) {
      luaL_error(L, "\"%s\" is not valid key for httpCall() options", key);
    }
    lua_pop(L, 1);
  }
  return o;
}

static wl_call_options options(lua_State *L) {
  if (lua_type(L, 5) == LUA_TTABLE) return table_of_options(L);
  if (!lua_isnoneornil(L, 6) && !lua_isboolean(L, 6)) {
    luaL_error(L, "http call asynchronous flag must be 'true', 'false', or empty");
  }
  wl_call_options o = {timeout(L, luaL_checknumber(L, 5)), lua_toboolean(L, 6), 0, 1};
  return o;
}

static wl_text text_at(lua_State *L, int index, const char *what) {
  if (!lua_isstring(L, index)) luaL_error(L, "the value for '%s' is a %s", what, luaL_typename(L, index));
  size_t count;
  const char *text = lua_tolstring(L, index, &count);
  return wl_bytes(text, count);
}

static void add_field(lua_State *L, wl_slot *s, const wl_name *name, const char *key) {
  wl_text value = text_at(L, -1, key);
  if (!wl_is_value(value)) wl_check_set(L, WL_BAD_VALUE, key);
  s->host->calls.call_field(s->owner, name, value);
}

// Writes the headers into the call that is being made. Returns which of the three that every call needs were there.
static int add_fields(lua_State *L, wl_slot *s) {
  int seen = 0;
  lua_pushnil(L);
  while (lua_next(L, 3)) {
    if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "httpCall() takes headers by name, not by %s", luaL_typename(L, -2));
    const char *key = lua_tostring(L, -2);
    const wl_name *name = wl_name_at(L, s->host, -2);
    if (!name->is_token && !name->pseudo) wl_check_set(L, WL_BAD_NAME, key);
    seen |= name->pseudo ? 1 << name->pseudo : 0;
    if (lua_istable(L, -1)) {
      lua_Integer values = luaL_len(L, -1);
      for (lua_Integer i = 1; i <= values; i++) {
        lua_geti(L, -1, i);
        add_field(L, s, name, key);
        lua_pop(L, 1);
      }
    } else {
      add_field(L, s, name, key);
    }
    lua_pop(L, 1);
  }
  return seen;
}

// Pushes headers and body of the answer.
static int push_answer(lua_State *L, wl_slot *s) {
  wl_text tape = s->host->calls.call_answer(s->exchange, s->owner);
  if (!tape.base) luaL_error(L, "the answer of the call is lost");
  wl_push_tape(L, tape);
  lua_rawgeti(L, -1, 1);
  lua_rawgeti(L, -2, 2);
  return 2;
}

static int answer_has_come(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  return push_answer(L, wl_self(L, WL_HANDLE));
}

int wl_handle_http_call(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  wl_call_options o = options(L);
  size_t count, body_count = 0;
  const char *service = luaL_checklstring(L, 2, &count);
  luaL_checktype(L, 3, LUA_TTABLE);
  const char *body = luaL_optlstring(L, 4, NULL, &body_count);
  lua_settop(L, 6);
  if (!o.asynchronous) wl_check_wait(L, s, "httpCall()");
  if (++s->call_count > CALL_LIMIT) luaL_error(L, "more than %d http calls", CALL_LIMIT);

  const wl_accessors *calls = &s->host->calls;
  if (!calls->call_begin(s->owner, wl_bytes(service, count))) {
    luaL_error(L, "http call cluster invalid. Must be configured");
  }
  int needed = 1 << WL_PSEUDO_PATH | 1 << WL_PSEUDO_METHOD | 1 << WL_PSEUDO_AUTHORITY;
  if ((add_fields(L, s) & needed) != needed) {
    luaL_error(L, "http call headers must include ':path', ':method', and ':authority'");
  }
  int state = calls->call_send(s->exchange, s->owner, wl_bytes(body, body_count), o);
  if (o.asynchronous) return 0;
  if (!state) return push_answer(L, s);
  s->wait = WL_WAIT_CALL;
  return lua_yieldk(L, 0, 0, answer_has_come);
}
