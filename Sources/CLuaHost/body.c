// Bodies: whole, in pieces, and what follows them.
#include "host.h"

static int is_body(const wl_slot *s, const void *object) { return object && object == s->objects[WL_BODY]; }

// The slot whose body (`*whole`) or piece argument 1 is.
static wl_slot *self(lua_State *L, int *whole) {
  wl_slot *s = wl_host_of(L)->running;
  void *object = lua_touserdata(L, 1);
  if (WL_LIKELY(s && is_body(s, object))) {
    *whole = 1;
    return s;
  }
  if (WL_LIKELY(s && object && object == s->objects[WL_CHUNK] && s->chunk)) {
    *whole = 0;
    return s;
  }
  return wl_self(L, WL_BODY);
}

static wl_text bytes_of(wl_slot *s, int whole) {
  const wl_accessors *calls = &s->host->calls;
  return whole ? calls->body_get(s->exchange, s->function) : calls->chunk_get(s->exchange, s->chunk);
}

static int buffer_length(lua_State *L) {
  int whole;
  wl_slot *s = self(L, &whole);
  lua_pushinteger(L, (lua_Integer)bytes_of(s, whole).count);
  return 1;
}

// A number without its fraction, as LuaJIT takes it for an integer.
static lua_Integer whole_number(lua_State *L, int index) {
  if (WL_LIKELY(lua_isinteger(L, index))) return lua_tointeger(L, index);
  lua_Number n = luaL_checknumber(L, index);
  return n > -1e15 && n < 1e15 ? (lua_Integer)n : -1;
}

static int buffer_get_bytes(lua_State *L) {
  int whole;
  wl_slot *s = self(L, &whole);
  lua_Integer index = whole_number(L, 2);
  lua_Integer length = whole_number(L, 3);
  wl_text bytes = bytes_of(s, whole);
  if (index < 0 || length < 0 || (lua_Unsigned)index > bytes.count || (lua_Unsigned)length > bytes.count - (size_t)index) {
    luaL_error(L, "index/length must be >= 0 and (index + length) must be <= buffer size");
  }
  lua_pushlstring(L, (const char *)bytes.base + index, (size_t)length);
  return 1;
}

static int buffer_set_bytes(lua_State *L) {
  int whole;
  wl_slot *s = self(L, &whole);
  size_t count;
  const char *text = luaL_checklstring(L, 2, &count);
  const wl_accessors *calls = &s->host->calls;
  wl_text bytes = wl_bytes(text, count);
  int fits = whole ? calls->body_set(s->exchange, s->function, bytes) : calls->chunk_set(s->exchange, s->chunk, bytes);
  if (!fits) luaL_error(L, "a body of %d bytes is too long", (int)count);
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

const luaL_Reg wl_buffer_methods[] = {
    {"length", buffer_length},
    {"getBytes", buffer_get_bytes},
    {"setBytes", buffer_set_bytes},
    {NULL, NULL},
};

// handle:body([always_wrap_body])

static int push_body(lua_State *L, wl_slot *s, int always) {
  s->body = WL_WAIT_BODY;
  s->body_ended = 1;
  if (!always && s->host->calls.body_get(s->exchange, s->function).count == 0) {
    lua_pushnil(L);
    return 1;
  }
  return wl_push_object(L, s, WL_BODY);
}

static int body_has_come(lua_State *L, int status, lua_KContext always) {
  (void)status;
  return push_body(L, wl_self(L, WL_HANDLE), (int)always);
}

int wl_handle_body(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  if (!lua_isnone(L, 2)) luaL_checktype(L, 2, LUA_TBOOLEAN);
  int always = lua_toboolean(L, 2);
  if (s->function == WL_ON_LOG) luaL_error(L, "body() is not available in on_log");
  if (s->body == WL_WAIT_BODY) return push_body(L, s, always);
  if (s->body == WL_WAIT_CHUNK) {
    luaL_error(L, s->body_ended ? "cannot call body() after body has been streamed"
                                : "cannot call body() after body streaming has started");
  }
  // Also to make room for a body where there is none: the wait is over at once then.
  int state = s->host->calls.body_state(s->exchange, s->function);
  if (state == WL_BODY_READY || (state == WL_BODY_NONE && !always)) return push_body(L, s, always);
  wl_check_wait(L, s, "body()");
  s->wait = WL_WAIT_BODY;
  return lua_yieldk(L, 0, always, body_has_come);
}

// handle:bodyChunks()

static int chunk_has_come(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  wl_slot *s = wl_host_of(L)->running;
  if (!s || !s->chunk) {
    lua_pushnil(L);
    return 1;
  }
  return wl_push_object(L, s, WL_CHUNK);
}

static int next_chunk(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  wl_slot *s = wl_self(L, WL_HANDLE);
  if (s->body_ended) {
    lua_pushnil(L);
    return 1;
  }
  wl_check_wait(L, s, "bodyChunks()");
  if (s->body == WL_WAIT_BODY) luaL_error(L, "cannot call bodyChunks after body processing has begun");
  s->body = WL_WAIT_CHUNK;
  s->wait = WL_WAIT_CHUNK;
  return lua_yieldk(L, 0, 0, chunk_has_come);
}

int wl_handle_body_chunks(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  if (s->function == WL_ON_LOG) luaL_error(L, "bodyChunks() is not available in on_log");
  int has_body = s->host->calls.body_state(s->exchange, s->function) != WL_BODY_NONE;
  if (s->body != 0 && has_body) luaL_error(L, "cannot call bodyChunks after body processing has begun");
  if (!has_body) s->body_ended = 1;
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, next_chunk, 1);
  return 1;
}

// handle:trailers()

static int push_trailers(lua_State *L, wl_slot *s) {
  int table = s->function == WL_ON_REQUEST ? WL_REQUEST_TRAILERS : WL_RESPONSE_TRAILERS;
  if (s->host->calls.field_rows(s->exchange, table) == 0) {
    lua_pushnil(L);
    return 1;
  }
  return wl_push_object(L, s, WL_TRAILERS);
}

static int body_has_ended(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  return push_trailers(L, wl_self(L, WL_HANDLE));
}

int wl_handle_trailers(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  if (s->function == WL_ON_LOG) luaL_error(L, "trailers() is not available in on_log");
  if (s->body == 0 && s->host->calls.body_state(s->exchange, s->function) != WL_BODY_COMING) s->body_ended = 1;
  if (s->body_ended) return push_trailers(L, s);
  wl_check_wait(L, s, "trailers()");
  s->body = WL_WAIT_CHUNK;
  s->wait = WL_WAIT_TRAILERS;
  return lua_yieldk(L, 0, 0, body_has_ended);
}
