// Header and trailer objects.
#include "host.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct {
  wl_slot *slot;
  int table;
  // The object by which the table was reached.
  int kind;
} fields;

static inline int own_table(const wl_slot *s) {
  return s->function == WL_ON_REQUEST ? WL_REQUEST_HEADERS : WL_RESPONSE_HEADERS;
}

// The table that argument 1 stands for.
static fields self(lua_State *L) {
  wl_slot *s = wl_host_of(L)->running;
  void *object = lua_touserdata(L, 1);
  fields f = {s, 0, WL_HEADERS};
  if (WL_LIKELY(object && s)) {
    if (WL_LIKELY(object == s->objects[WL_HEADERS])) {
      f.table = own_table(s);
      return f;
    }
    if (object == s->objects[WL_TRAILERS]) {
      f.table = own_table(s) == WL_REQUEST_HEADERS ? WL_REQUEST_TRAILERS : WL_RESPONSE_TRAILERS;
      f.kind = WL_TRAILERS;
      return f;
    }
    if (object == s->objects[WL_OTHER_REQUEST_HEADERS]) {
      f.table = WL_REQUEST_HEADERS;
      f.kind = WL_OTHER_REQUEST_HEADERS;
      return f;
    }
    if (object == s->objects[WL_OTHER_RESPONSE_HEADERS]) {
      f.table = WL_RESPONSE_HEADERS;
      f.kind = WL_OTHER_RESPONSE_HEADERS;
      return f;
    }
  }
  wl_self(L, WL_HEADERS);
  return f;
}

static fields self_for_change(lua_State *L) {
  fields f = self(L);
  if (WL_UNLIKELY(f.kind > WL_TRAILERS)) luaL_error(L, "these headers are read-only here");
  if (f.slot->function == WL_ON_LOG || (f.slot->head_sent && f.kind == WL_HEADERS)) {
    luaL_error(L, "header map can no longer be modified");
  }
  return f;
}

// Names

static char names_key;

void wl_install_names(lua_State *L) {
  // Of the full size, so that keeping a name takes no memory.
  lua_createtable(L, 2 * WL_NAMES, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &names_key);
}

static int pseudo(wl_text name) {
  static const struct {
    const char *name;
    size_t count;
    int pseudo;
  } known[] = {{":path", 5, WL_PSEUDO_PATH},
               {":method", 7, WL_PSEUDO_METHOD},
               {":authority", 10, WL_PSEUDO_AUTHORITY},
               {":scheme", 7, WL_PSEUDO_SCHEME},
               {":status", 7, WL_PSEUDO_STATUS}};
  if (name.count == 0 || name.base[0] != ':') return 0;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (name.count == known[i].count && memcmp(name.base, known[i].name, name.count) == 0) return known[i].pseudo;
  }
  return WL_PSEUDO_UNKNOWN;
}

// Pushes the string at `index` in lower case, and returns its bytes.
static const char *push_lower(lua_State *L, int index, const char *key, size_t count) {
  size_t i = 0;
  while (i < count && (unsigned char)(key[i] - 'A') >= 26) i++;
  if (i == count) {
    lua_pushvalue(L, index);
    return key;
  }
  char lower[WL_NAME_BYTES];
  for (i = 0; i < count; i++) lower[i] = (unsigned char)(key[i] - 'A') < 26 ? (char)(key[i] | 0x20) : key[i];
  return lua_pushlstring(L, lower, count);
}

static __attribute__((noinline)) const wl_name *learn(
    lua_State *L, wl_host *h, int index, const char *key, size_t count, wl_name *n) {
  static const wl_name impossible = {0};
  if (count == 0 || count > WL_NAME_BYTES) return &impossible;
  luaL_checkstack(L, 4, NULL);
  index = lua_absindex(L, index);
  n->key = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key);
  const char *lower = push_lower(L, index, key, count);
  lua_Integer place = 2 * (n - h->names) + 1;
  lua_rawseti(L, -2, place);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, place + 1);
  lua_pop(L, 1);
  n->lower = wl_bytes(lower, count);
  n->pseudo = (uint8_t)pseudo(n->lower);
  h->calls.classify(n);
  n->key = key;
  return n;
}

const wl_name *wl_name_at(lua_State *L, wl_host *h, int index) {
  size_t count;
  const char *key = luaL_checklstring(L, index, &count);
  wl_name *n = &h->names[((uintptr_t)key >> 4) % WL_NAMES];
  return WL_LIKELY(n->key == key) ? n : learn(L, h, index, key, count, n);
}

// No control character but TAB (RFC 9110 5.5), so that it can end no line.
int wl_is_value(wl_text value) {
  const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
  size_t i = 0;
  for (; i + 8 <= value.count; i += 8) {
    uint64_t w;
    memcpy(&w, value.base + i, 8);
    uint64_t deleted = w ^ ones * 0x7f;
    // Bytes below 0x20, and those that are 0x7f: exact for the lowest one that is found, which is enough.
    if (((w - ones * 0x20) & ~w & high) | ((deleted - ones) & ~deleted & high)) break;
  }
  for (; i < value.count; i++) {
    uint8_t c = value.base[i];
    if ((c < 0x20 && c != '\t') || c == 0x7f) return 0;
  }
  return 1;
}

static int push(lua_State *L, wl_text t) {
  if (t.base) {
    lua_pushlstring(L, (const char *)t.base, t.count);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

// A buffer of its own, so that the path of plain fields needs no room for it.
static __attribute__((noinline)) int push_pseudo(lua_State *L, fields f, int which) {
  uint8_t buffer[WL_TEXT_BYTES];
  return push(L, f.slot->host->calls.pseudo_get(f.slot->exchange, f.table, which, buffer));
}

static int headers_get(lua_State *L) {
  fields f = self(L);
  wl_host *h = f.slot->host;
  const wl_name *name = wl_name_at(L, h, 2);
  if (name->pseudo) return push_pseudo(L, f, name->pseudo);
  wl_text first = {NULL, 0};
  size_t count = name->lower.base ? h->calls.field_values(f.slot->exchange, f.table, name, &first) : 0;
  if (WL_LIKELY(count <= 1)) return push(L, first);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (size_t i = 0; i < count; i++) {
    wl_text value = h->calls.field_at(f.slot->exchange, f.table, name, i);
    if (i > 0) luaL_addchar(&b, ',');
    if (value.base) luaL_addlstring(&b, (const char *)value.base, value.count);
  }
  luaL_pushresult(&b);
  return 1;
}

static int headers_get_at_index(lua_State *L) {
  fields f = self(L);
  wl_host *h = f.slot->host;
  const wl_name *name = wl_name_at(L, h, 2);
  lua_Number index = luaL_checknumber(L, 3);
  wl_text none = {NULL, 0};
  if (!name->lower.base || !(index >= 0) || index > 1e9) return push(L, none);
  if (name->pseudo) return index < 1 ? push_pseudo(L, f, name->pseudo) : push(L, none);
  return push(L, h->calls.field_at(f.slot->exchange, f.table, name, (size_t)index));
}

static int headers_get_num_values(lua_State *L) {
  fields f = self(L);
  wl_host *h = f.slot->host;
  const wl_name *name = wl_name_at(L, h, 2);
  wl_text first;
  size_t count = 0;
  if (name->pseudo) {
    push_pseudo(L, f, name->pseudo);
    count = !lua_isnil(L, -1);
  } else if (name->lower.base) {
    count = h->calls.field_values(f.slot->exchange, f.table, name, &first);
  }
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

void wl_check_set(lua_State *L, int result, const char *name) {
  switch (result) {
  case WL_SET: return;
  case WL_BAD_NAME: luaL_error(L, "'%s' is no name of a header", name); return;
  case WL_BAD_VALUE: luaL_error(L, "the value for '%s' is not allowed in a header", name); return;
  case WL_FULL: luaL_error(L, "too many or too large headers, at '%s'", name); return;
  default: luaL_error(L, "'%s' cannot be changed here", name); return;
  }
}

wl_values wl_values_of(lua_State *L, const char *lower) {
  fields f = self(L);
  const wl_accessors *calls = &f.slot->host->calls;
  wl_values v = {.slot = f.slot, .table = f.table, .name = {.lower = wl_bytes(lower, strlen(lower))}};
  calls->classify(&v.name);
  wl_text first;
  v.count = calls->field_values(f.slot->exchange, f.table, &v.name, &first);
  return v;
}

wl_text wl_value_at(const wl_values *v, size_t index) {
  return v->slot->host->calls.field_at(v->slot->exchange, v->table, &v->name, index);
}

// A value as text. A number without a fraction is written as a whole one, as LuaJIT writes it.
static wl_text argument_value(lua_State *L, int index, char *digits, size_t size) {
  size_t count;
  if (WL_UNLIKELY(lua_type(L, index) == LUA_TNUMBER && !lua_isinteger(L, index))) {
    lua_Number n = lua_tonumber(L, index);
    if (floor(n) == n && fabs(n) < 1e15) return wl_bytes(digits, (size_t)snprintf(digits, size, "%.0f", n));
  }
  const char *value = luaL_checklstring(L, index, &count);
  return wl_bytes(value, count);
}

static int set(lua_State *L, int replaces) {
  fields f = self_for_change(L);
  wl_host *h = f.slot->host;
  void *x = f.slot->exchange;
  char digits[32];
  const wl_name *name = wl_name_at(L, h, 2);
  wl_text value = argument_value(L, 3, digits, sizeof digits);
  int result;
  if (WL_LIKELY(name->is_token)) {
    result = !wl_is_value(value) ? WL_BAD_VALUE
             : replaces          ? h->calls.field_replace(x, f.table, name, value)
                                 : h->calls.field_add(x, f.table, name, value);
  } else if (name->pseudo) {
    // There is one path, one method, ...: adding a second one is a mistake.
    result = replaces ? h->calls.pseudo_set(x, f.table, name->pseudo, value) : WL_NOT_SUPPORTED;
  } else {
    result = WL_BAD_NAME;
  }
  if (WL_UNLIKELY(result != WL_SET)) wl_check_set(L, result, lua_tostring(L, 2));
  return 0;
}

static int headers_add(lua_State *L) { return set(L, 0); }
static int headers_replace(lua_State *L) { return set(L, 1); }

static int headers_remove(lua_State *L) {
  fields f = self_for_change(L);
  const wl_name *name = wl_name_at(L, f.slot->host, 2);
  if (!name->lower.base) return 0;
  int result = name->pseudo ? WL_NOT_SUPPORTED : f.slot->host->calls.field_remove(f.slot->exchange, f.table, name);
  wl_check_set(L, result, lua_tostring(L, 2));
  return 0;
}

static int headers_set_reason(lua_State *L) {
  fields f = self_for_change(L);
  size_t count;
  const char *reason = luaL_checklstring(L, 2, &count);
  // A request has none, which Envoy overlooks.
  if (f.table != WL_RESPONSE_HEADERS) return 0;
  wl_text text = wl_bytes(reason, count);
  int result = wl_is_value(text) ? f.slot->host->calls.set_reason(f.slot->exchange, text) : WL_BAD_VALUE;
  wl_check_set(L, result, "reason phrase");
  return 0;
}

// Iteration. Upvalues: the object, the next row (pseudo headers first, as negative rows), the end.

static const int request_pseudos[] = {WL_PSEUDO_AUTHORITY, WL_PSEUDO_PATH, WL_PSEUDO_METHOD, WL_PSEUDO_SCHEME};
static const int response_pseudos[] = {WL_PSEUDO_STATUS};
static const char *const pseudo_names[] = {"", ":path", ":method", ":authority", ":scheme", ":status"};

static int next_field(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  fields f = self(L);
  const wl_accessors *calls = &f.slot->host->calls;
  void *x = f.slot->exchange;
  lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));
  while (at < 0) {
    int is_request = f.table == WL_REQUEST_HEADERS;
    int which = is_request ? request_pseudos[4 + at] : response_pseudos[1 + at];
    at++;
    uint8_t buffer[WL_TEXT_BYTES];
    wl_text value = calls->pseudo_get(x, f.table, which, buffer);
    if (!value.base) continue;
    lua_pushinteger(L, at);
    lua_replace(L, lua_upvalueindex(2));
    lua_pushstring(L, pseudo_names[which]);
    return 1 + push(L, value);
  }
  wl_text name, value;
  size_t row = (size_t)at;
  size_t end = (size_t)lua_tointeger(L, lua_upvalueindex(3));
  while (calls->field_row(x, f.table, &row, end, &name, &value)) {
    // It is there as :authority.
    if (f.table == WL_REQUEST_HEADERS && name.count == 4 && strncasecmp((const char *)name.base, "host", 4) == 0) continue;
    lua_pushinteger(L, (lua_Integer)row);
    lua_replace(L, lua_upvalueindex(2));
    luaL_Buffer b;
    char *lower = luaL_buffinitsize(L, &b, name.count);
    for (size_t i = 0; i < name.count; i++) {
      uint8_t c = name.base[i];
      lower[i] = (char)((uint8_t)(c - 'A') < 26 ? c | 0x20 : c);
    }
    luaL_pushresultsize(&b, name.count);
    return 1 + push(L, value);
  }
  lua_pushnil(L);
  return 1;
}

int wl_headers_pairs(lua_State *L) {
  fields f = self(L);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, f.table == WL_REQUEST_HEADERS ? -4 : f.table == WL_RESPONSE_HEADERS ? -1 : 0);
  // Fields that are added meanwhile are not visited, so that the iteration ends.
  lua_pushinteger(L, (lua_Integer)f.slot->host->calls.field_rows(f.slot->exchange, f.table));
  lua_pushcclosure(L, next_field, 3);
  return 1;
}

const luaL_Reg wl_header_methods[] = {
    {"add", headers_add},
    {"get", headers_get},
    {"getAtIndex", headers_get_at_index},
    {"getNumValues", headers_get_num_values},
    {"pairs", wl_headers_pairs},
    {"remove", headers_remove},
    {"replace", headers_replace},
    {"setHttp1ReasonPhrase", headers_set_reason},
    {NULL, NULL},
};
