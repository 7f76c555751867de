// weft.http: requests to services, of which several may be under way (see all.c).
#include "tasks.h"
#include <string.h>

// Calls that one run of a function may make.
#define CALLS 64
#define METHOD_BYTES 32
#define TIMEOUT 5000
#define LONGEST 3600000

// Pushes the field of the table at index 1, which must be of that type or nil. Returns whether it is there.
static int option(lua_State *L, const char *name, int type) {
  int found = lua_getfield(L, 1, name);
  if (found == LUA_TNIL) return 0;
  if (found != type && !(type == LUA_TSTRING && found == LUA_TNUMBER)) {
    luaL_error(L, "'%s' must be a %s, not a %s", name, lua_typename(L, type), lua_typename(L, found));
  }
  return 1;
}

static wl_text text_option(lua_State *L, const char *name) {
  if (!option(L, name, LUA_TSTRING)) return wl_bytes(NULL, 0);
  size_t count;
  const char *text = lua_tolstring(L, -1, &count);
  return wl_bytes(text, count);
}

// The value of a header, on top of the stack.
static void add_header(lua_State *L, wl_host *h, const wl_name *name, const char *key) {
  if (!lua_isstring(L, -1)) luaL_error(L, "the value of the header '%s' is a %s", key, luaL_typename(L, -1));
  size_t count;
  const char *text = lua_tolstring(L, -1, &count);
  if (!wl_is_value(wl_bytes(text, count))) luaL_error(L, "the value of the header '%s' is not allowed", key);
  h->calls.library.http_field(h->context, name->lower, wl_bytes(text, count));
}

// The table of headers on top of the stack.
static void add_headers(lua_State *L, wl_host *h) {
  int table = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, table)) {
    wl_may_go_on(L, h);
    if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "headers are given by name, not by %s", luaL_typename(L, -2));
    const char *key = lua_tostring(L, -2);
    const wl_name *name = wl_name_at(L, h, -2);
    if (!name->is_token) luaL_error(L, "'%s' is no name of a header", key);
    if (lua_istable(L, -1)) {
      lua_Integer values = (lua_Integer)lua_rawlen(L, -1);
      for (lua_Integer i = 1; i <= values; i++) {
        wl_may_go_on(L, h);
        lua_rawgeti(L, -1, i);
        add_header(L, h, name, key);
        lua_pop(L, 1);
      }
    } else {
      add_header(L, h, name, key);
    }
    lua_pop(L, 1);
  }
}

// The answer as a table, or nil and a message; a third value names the kind of failure.
static int push_answer(lua_State *L, wl_host *h, uint64_t call) {
  if (h->running->open_calls > 0) h->running->open_calls--;
  wl_text tape = h->calls.library.http_answer(h->context, call);
  if (!tape.base) return luaL_error(L, "the answer of the call is lost");
  wl_push_tape(L, tape);
  if (lua_getfield(L, -1, "failure") == LUA_TNIL) {
    lua_pop(L, 1);
    return 1;
  }
  lua_getfield(L, -2, "kind");
  lua_pushnil(L);
  lua_insert(L, -3);
  return 3;
}

static int answered(lua_State *L, int status, lua_KContext call) {
  (void)status;
  wl_host *h = wl_host_of(L);
  if (!h->calls.library.http_ready(h->context, (uint64_t)call)) {
    // Something else has woken the exchange.
    h->running->milliseconds = 0;
    h->running->wait = WL_WAIT_EVENTS;
    return lua_yieldk(L, 0, call, answered);
  }
  return push_answer(L, h, (uint64_t)call);
}

static const char *const options[] = {"service", "path", "headers", "body", "authority", "timeout_ms", "method", NULL};
// Those of weft.http.get and the others, whose name is the method.
static const char *const options_but_method[] = {"service", "path", "headers", "body", "authority", "timeout_ms", NULL};

// With the options, which are checked, at index 1.
static int send_request(lua_State *L) {
  wl_host *h = wl_host_of(L);
  wl_slot *s = h->running;
  lua_settop(L, 1);
  if (!s) luaL_error(L, "weft.http is not for the time when a script is loaded; use on_load");
  wl_check_wait_in_task(L, s, "weft.http");

  const wl_library *library = &h->calls.library;
  wl_text service = text_option(L, "service");
  if (!service.base) luaL_error(L, "'service' is missing");
  wl_http_request r = {service, text_option(L, "method"), text_option(L, "path"), text_option(L, "authority"),
                       text_option(L, "body"), TIMEOUT};
  if (!r.method.base) r.method = wl_bytes("GET", 3);
  if (!r.path.base) r.path = wl_bytes("/", 1);
  if (r.method.count > METHOD_BYTES) luaL_error(L, "'method' is too long");
  if (option(L, "timeout_ms", LUA_TNUMBER)) {
    lua_Number timeout = lua_tonumber(L, -1);
    if (!(timeout > 0 && timeout <= LONGEST)) luaL_error(L, "'timeout_ms' must be more than 0, at most %d", LONGEST);
    r.milliseconds = timeout < 1 ? 1 : (uint32_t)timeout;
  }
  if (++s->call_count > CALLS) luaL_error(L, "more than %d calls to services", CALLS);
  if (!library->http_begin(h->context, s->owner, service)) {
    lua_pushnil(L);
    lua_pushfstring(L, "the service \"%s\" is not allowed: the bundle does not list it", (const char *)service.base);
    lua_pushliteral(L, "not_allowed");
    return 3;
  }
  if (option(L, "headers", LUA_TTABLE)) add_headers(L, h);
  uint64_t call = library->http_send(h->context, s, &r);
  if (!call) luaL_error(L, "method, path or authority is not allowed");
  s->open_calls++;
  if (library->http_ready(h->context, call)) return push_answer(L, h, call);
  wl_task *task = wl_task_of(L);
  if (task) {
    task->state = WL_TASK_CALL;
    task->call = call;
  } else {
    s->milliseconds = 0;
    s->wait = WL_WAIT_EVENTS;
  }
  return lua_yieldk(L, 0, (lua_KContext)call, answered);
}

// request{service =, method =, path =, headers =, body =, authority =, timeout_ms =}
static int http_request(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  wl_check_options(L, 1, "option", "weft.http.request", options);
  return send_request(L);
}

// Upvalue 1: the method; 2: the name of the function.
static int http_with_method(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  wl_check_options(L, 1, "option", lua_tostring(L, lua_upvalueindex(2)), options_but_method);
  lua_settop(L, 1);
  if (wl_thaw(L, 1)) lua_replace(L, 1);
  // The script's own table stays as it is.
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    wl_may_go_on(L, wl_host_of(L));
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, 2);
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setfield(L, 2, "method");
  lua_remove(L, 1);
  return send_request(L);
}

void wl_install_http(lua_State *L) {
  static const char *const methods[][2] = {{"get", "GET"},     {"head", "HEAD"},     {"post", "POST"}, {"put", "PUT"},
                                           {"patch", "PATCH"}, {"delete", "DELETE"}, {NULL, NULL}};
  lua_newtable(L);
  lua_pushcfunction(L, http_request);
  lua_setfield(L, -2, "request");
  for (int i = 0; methods[i][0]; i++) {
    lua_pushstring(L, methods[i][1]);
    lua_pushfstring(L, "weft.http.%s", methods[i][0]);
    lua_pushcclosure(L, http_with_method, 2);
    lua_setfield(L, -2, methods[i][0]);
  }
  lua_setfield(L, -2, "http");
}
