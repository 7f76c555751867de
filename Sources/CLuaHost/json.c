// weft.json: reading (RFC 8259). Strict: no comments, no trailing commas, valid UTF-8, no name twice in an object, and
// nothing behind the value.
#include "json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

char wl_json_null_key, wl_json_array_key;

typedef struct {
  lua_State *L;
  wl_host *h;
  const uint8_t *start;
  const uint8_t *at;
  const uint8_t *end;
  // What is wrong at `at`; NULL while nothing is.
  const char *error;
} reader;

// Each pushes a value, or says in `error` why not; what is on the stack then does not matter.
static int read_value(reader *r, int depth);

static int refuse(reader *r, const char *error) {
  r->error = error;
  return 0;
}

static void skip_space(reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) {
    wl_may_go_on(r->L, r->h);
    r->at++;
  }
}

static int read_word(reader *r, const char *word) {
  size_t n = strlen(word);
  if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0) return refuse(r, "a value expected");
  r->at += n;
  return 1;
}

static int is_digit(const reader *r) { return r->at < r->end && *r->at >= '0' && *r->at <= '9'; }

static int skip_digits(reader *r) {
  if (!is_digit(r)) return refuse(r, "a digit expected");
  while (is_digit(r)) r->at++;
  return 1;
}

// Longest text of a number: no precision is lost with it, and the conversion's work is bounded.
#define NUMBER_BYTES 1024

static int read_number(reader *r) {
  const uint8_t *start = r->at;
  int is_integer = 1;
  if (*r->at == '-') r->at++;
  if (r->at < r->end && *r->at == '0') {
    r->at++;
    if (is_digit(r)) return refuse(r, "a number with a leading zero");
  } else if (!skip_digits(r)) {
    return 0;
  }
  if (r->at < r->end && *r->at == '.') {
    is_integer = 0;
    r->at++;
    if (!skip_digits(r)) return 0;
  }
  if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
    is_integer = 0;
    r->at++;
    if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
    if (!skip_digits(r)) return 0;
  }
  size_t count = (size_t)(r->at - start);
  char text[NUMBER_BYTES + 1];
  if (count > NUMBER_BYTES) return refuse(r, "a number that is too long");
  memcpy(text, start, count);
  text[count] = 0;
  // Minus zero is no integer.
  if (is_integer && count <= 20 && strcmp(text, "-0") != 0) {
    uint64_t value = 0;
    int fits = 1;
    int is_negative = text[0] == '-';
    for (size_t i = (size_t)is_negative; i < count; i++) {
      unsigned d = (unsigned)(text[i] - '0');
      if (value > (UINT64_MAX - d) / 10) fits = 0;
      value = value * 10 + d;
    }
    if (fits && value <= (uint64_t)INT64_MAX + (uint64_t)is_negative) {
      lua_pushinteger(r->L, is_negative ? (lua_Integer)(0 - value) : (lua_Integer)value);
      return 1;
    }
  }
  double value = strtod(text, NULL);
  if (!isfinite(value)) return refuse(r, "a number out of range");
  lua_pushnumber(r->L, value);
  return 1;
}

static int read_hex(reader *r, uint32_t *value) {
  if (r->end - r->at < 4) return refuse(r, "four hexadecimal digits expected");
  *value = 0;
  for (int i = 0; i < 4; i++) {
    uint8_t c = r->at[i];
    unsigned d = c >= '0' && c <= '9'   ? c - '0'
                 : c >= 'a' && c <= 'f' ? c - 'a' + 10
                 : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                        : 16;
    if (d > 15) return refuse(r, "four hexadecimal digits expected");
    *value = *value << 4 | d;
  }
  r->at += 4;
  return 1;
}

static void put_character(reader *r, uint32_t c) {
  uint8_t bytes[4];
  size_t n = 0;
  if (c < 0x80) {
    bytes[n++] = (uint8_t)c;
  } else if (c < 0x800) {
    bytes[n++] = (uint8_t)(0xc0 | c >> 6);
    bytes[n++] = (uint8_t)(0x80 | (c & 63));
  } else if (c < 0x10000) {
    bytes[n++] = (uint8_t)(0xe0 | c >> 12);
    bytes[n++] = (uint8_t)(0x80 | (c >> 6 & 63));
    bytes[n++] = (uint8_t)(0x80 | (c & 63));
  } else {
    bytes[n++] = (uint8_t)(0xf0 | c >> 18);
    bytes[n++] = (uint8_t)(0x80 | (c >> 12 & 63));
    bytes[n++] = (uint8_t)(0x80 | (c >> 6 & 63));
    bytes[n++] = (uint8_t)(0x80 | (c & 63));
  }
  wl_put(r->L, r->h, bytes, n);
}

// Behind the backslash.
static int read_escape(reader *r) {
  if (r->at == r->end) return refuse(r, "a string without an end");
  uint8_t c = *r->at++;
  switch (c) {
  case '"':
  case '\\':
  case '/': put_character(r, c); return 1;
  case 'b': put_character(r, '\b'); return 1;
  case 'f': put_character(r, '\f'); return 1;
  case 'n': put_character(r, '\n'); return 1;
  case 'r': put_character(r, '\r'); return 1;
  case 't': put_character(r, '\t'); return 1;
  case 'u': {
    uint32_t high, low;
    if (!read_hex(r, &high)) return 0;
    if (high >= 0xdc00 && high <= 0xdfff) return refuse(r, "half a surrogate pair");
    if (high >= 0xd800 && high <= 0xdbff) {
      if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u') return refuse(r, "half a surrogate pair");
      r->at += 2;
      if (!read_hex(r, &low)) return 0;
      if (low < 0xdc00 || low > 0xdfff) return refuse(r, "half a surrogate pair");
      high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    }
    put_character(r, high);
    return 1;
  }
  default: r->at--; return refuse(r, "an unknown escape");
  }
}

static int read_string(reader *r) {
  const uint8_t *start = ++r->at;
  int is_plain = 1;
  for (;;) {
    wl_may_go_on(r->L, r->h);
    if (r->at == r->end) return refuse(r, "a string without an end");
    uint8_t c = *r->at;
    if (c == '"') break;
    if (c < 0x20) return refuse(r, "a control character in a string");
    if (c == '\\') {
      if (is_plain) r->h->tape_count = 0;
      is_plain = 0;
      wl_put(r->L, r->h, start, (size_t)(r->at - start));
      r->at++;
      if (!read_escape(r)) return 0;
      start = r->at;
      continue;
    }
    size_t n = wl_utf8_sequence(r->at, r->end);
    if (n == 0) return refuse(r, "a string that is not UTF-8");
    r->at += n;
  }
  size_t count = (size_t)(r->at - start);
  r->at++;
  if (is_plain) {
    lua_pushlstring(r->L, (const char *)start, count);
  } else {
    wl_put(r->L, r->h, start, count);
    wl_push_written(r->L, r->h);
  }
  return 1;
}

static int read_array(reader *r, int depth) {
  lua_State *L = r->L;
  r->at++;
  lua_newtable(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &wl_json_array_key);
  lua_setmetatable(L, -2);
  skip_space(r);
  if (r->at < r->end && *r->at == ']') {
    r->at++;
    return 1;
  }
  for (lua_Integer i = 1;; i++) {
    if (!read_value(r, depth + 1)) return 0;
    lua_rawseti(L, -2, i);
    skip_space(r);
    if (r->at == r->end) return refuse(r, "an array without an end");
    uint8_t c = *r->at;
    if (c != ',' && c != ']') return refuse(r, "\",\" or \"]\" expected");
    r->at++;
    if (c == ']') return 1;
  }
}

static int read_object(reader *r, int depth) {
  lua_State *L = r->L;
  r->at++;
  lua_newtable(L);
  skip_space(r);
  if (r->at < r->end && *r->at == '}') {
    r->at++;
    return 1;
  }
  for (;;) {
    skip_space(r);
    if (r->at == r->end || *r->at != '"') return refuse(r, "a name in quotes expected");
    const uint8_t *name = r->at;
    if (!read_string(r)) return 0;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) != LUA_TNIL) {
      r->at = name;
      return refuse(r, "a name that the object has already");
    }
    lua_pop(L, 1);
    skip_space(r);
    if (r->at == r->end || *r->at != ':') return refuse(r, "\":\" expected");
    r->at++;
    if (!read_value(r, depth + 1)) return 0;
    lua_rawset(L, -3);
    skip_space(r);
    if (r->at == r->end) return refuse(r, "an object without an end");
    uint8_t c = *r->at;
    if (c != ',' && c != '}') return refuse(r, "\",\" or \"}\" expected");
    r->at++;
    if (c == '}') return 1;
  }
}

static int read_value(reader *r, int depth) {
  lua_State *L = r->L;
  wl_may_go_on(L, r->h);
  luaL_checkstack(L, 6, "JSON that nests too deeply");
  skip_space(r);
  if (r->at == r->end) return refuse(r, "a value expected");
  switch (*r->at) {
  case '{':
  case '[':
    if (depth >= WL_JSON_DEPTH) return refuse(r, "nesting that is too deep");
    return *r->at == '{' ? read_object(r, depth) : read_array(r, depth);
  case '"': return read_string(r);
  case 't':
    lua_pushboolean(L, 1);
    return read_word(r, "true");
  case 'f':
    lua_pushboolean(L, 0);
    return read_word(r, "false");
  case 'n':
    lua_rawgetp(L, LUA_REGISTRYINDEX, &wl_json_null_key);
    return read_word(r, "null");
  default:
    if (*r->at != '-' && !is_digit(r)) return refuse(r, "a value expected");
    return read_number(r);
  }
}

int wl_json_decode(lua_State *L) {
  wl_text text = wl_text_arg(L, 1);
  reader r = {L, wl_host_of(L), text.base, text.base, text.base + text.count, NULL};
  if (read_value(&r, 0)) {
    skip_space(&r);
    if (r.at == r.end) return 1;
    refuse(&r, "something behind the value");
  }
  return wl_fail(L, "invalid JSON at byte %d: %s", (int)(r.at - r.start) + 1, r.error);
}

// Marks a table as an array, which an empty one does not show by itself.
static int json_array(lua_State *L) {
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &wl_json_array_key);
  if (lua_getmetatable(L, 1)) {
    luaL_argcheck(L, lua_rawequal(L, -1, -2), 1, "the table has a metatable");
    lua_pop(L, 1);
  }
  lua_setmetatable(L, 1);
  return 1;
}

// Whether a table is an array: marked as one, or with elements. A look, no walk through the table.
static int json_is_array(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  int is_array = 0;
  if (wl_thaw(L, 1)) lua_replace(L, 1);
  if (lua_istable(L, 1)) {
    is_array = lua_rawlen(L, 1) > 0;
    if (!is_array && lua_getmetatable(L, 1)) {
      lua_rawgetp(L, LUA_REGISTRYINDEX, &wl_json_array_key);
      is_array = lua_rawequal(L, -1, -2);
    }
  }
  lua_pushboolean(L, is_array);
  return 1;
}

static int null_text(lua_State *L) {
  lua_pushliteral(L, "null");
  return 1;
}

void wl_install_json(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"decode", wl_json_decode}, {"encode", wl_json_encode}, {"array", json_array}, {"is_array", json_is_array},
      {NULL, NULL}};
  wl_new_class(L, &wl_json_array_key, "array", NULL, NULL);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, null_text);
  lua_setfield(L, -2, "__tostring");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &wl_json_null_key);
  lua_setfield(L, -2, "null");
  lua_setfield(L, -2, "json");
}
