// weft.ip: addresses, and sets of ranges of them.
//
// An address is 16 bytes; IPv4 is in its IPv4-mapped form (RFC 4291 2.5.5.2), so that both spellings are one address. A
// range is of one family: `::/0` holds no IPv4 address.
#include "library.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

// Ranges of a set.
#define RANGES 65536

typedef struct {
  uint8_t bytes[16];
} address;

typedef struct {
  address low, high;
} range;

typedef struct {
  size_t count;
  // Sorted, none touching another.
  range ranges[];
} set;

static char set_class;
static const char set_class_name[] = "ip set";
static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static int compare(const address *a, const address *b) { return memcmp(a->bytes, b->bytes, 16); }
static int is_v4(const address *a) { return memcmp(a->bytes, mapped, 12) == 0; }

static int read_address(wl_text text, address *a) {
  char copy[64];
  if (text.count == 0 || text.count >= sizeof copy || memchr(text.base, 0, text.count)) return 0;
  memcpy(copy, text.base, text.count);
  copy[text.count] = 0;
  if (memchr(text.base, ':', text.count)) return inet_pton(AF_INET6, copy, a->bytes) == 1;
  memcpy(a->bytes, mapped, 12);
  return inet_pton(AF_INET, copy, a->bytes + 12) == 1;
}

static int read_number(wl_text text, unsigned limit, unsigned *value) {
  if (text.count == 0 || text.count > 5) return 0;
  *value = 0;
  for (size_t i = 0; i < text.count; i++) {
    if (text.base[i] < '0' || text.base[i] > '9') return 0;
    *value = *value * 10 + (text.base[i] - '0');
  }
  return *value <= limit;
}

// An address, perhaps in brackets, perhaps with a port: `10.0.0.1`, `10.0.0.1:80`, `::1`, `[::1]`, `[::1]:80`.
// port: -1 for none.
static int read_endpoint(wl_text text, address *a, int *port) {
  *port = -1;
  if (text.count == 0) return 0;
  const uint8_t *end = text.base + text.count;
  const uint8_t *rest;
  wl_text host;
  if (text.base[0] == '[') {
    const uint8_t *close = memchr(text.base, ']', text.count);
    if (!close) return 0;
    host = wl_bytes(text.base + 1, (size_t)(close - text.base - 1));
    if (!memchr(host.base, ':', host.count)) return 0;
    rest = close + 1;
  } else {
    const uint8_t *colon = memchr(text.base, ':', text.count);
    int is_single = colon && !memchr(colon + 1, ':', (size_t)(end - colon - 1));
    rest = is_single ? colon : end;
    host = wl_bytes(text.base, (size_t)(rest - text.base));
  }
  if (!read_address(host, a)) return 0;
  if (rest == end) return 1;
  unsigned value;
  if (*rest != ':' || !read_number(wl_bytes(rest + 1, (size_t)(end - rest - 1)), 65535, &value)) return 0;
  *port = (int)value;
  return 1;
}

static int ip_parse(lua_State *L) {
  address a;
  int port;
  if (!read_endpoint(wl_text_arg(L, 1), &a, &port)) return wl_fail(L, "no IP address");
  lua_createtable(L, 0, 3);
  char text[INET6_ADDRSTRLEN];
  int is_four = is_v4(&a);
  if (!inet_ntop(is_four ? AF_INET : AF_INET6, is_four ? a.bytes + 12 : a.bytes, text, sizeof text)) {
    return wl_fail(L, "no IP address");
  }
  lua_pushstring(L, text);
  lua_setfield(L, -2, "address");
  lua_pushinteger(L, is_four ? 4 : 6);
  lua_setfield(L, -2, "version");
  if (port >= 0) {
    lua_pushinteger(L, port);
    lua_setfield(L, -2, "port");
  }
  return 1;
}

// Reads one range into `r`, or two where one of IPv6 has the IPv4 addresses in its middle. Returns how many; 0: it is none.
static size_t read_range(wl_text text, range *r) {
  const uint8_t *slash = memchr(text.base, '/', text.count);
  wl_text host = slash ? wl_bytes(text.base, (size_t)(slash - text.base)) : text;
  address a;
  if (!read_address(host, &a)) return 0;
  int is_short = !memchr(host.base, ':', host.count);
  unsigned bits = is_short ? 32 : 128;
  if (slash && !read_number(wl_bytes(slash + 1, text.count - host.count - 1), bits, &bits)) return 0;
  if (is_short) bits += 96;
  r->low = r->high = a;
  for (unsigned i = 0; i < 16; i++) {
    unsigned kept = bits > i * 8 ? bits - i * 8 : 0;
    uint8_t mask = kept >= 8 ? 0xff : (uint8_t)(0xff00 >> kept);
    r->low.bytes[i] &= mask;
    r->high.bytes[i] |= (uint8_t)~mask;
  }
  if (is_v4(&r->low) || is_v4(&r->high)) return 1;
  static const address before = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff}};
  static const address behind = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  if (compare(&r->low, &before) > 0 || compare(&r->high, &behind) < 0) return 1;
  r[1] = (range){behind, r->high};
  r->high = before;
  return 2;
}

static void sift(range *ranges, size_t at, size_t count) {
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= count) return;
    if (child + 1 < count && compare(&ranges[child].low, &ranges[child + 1].low) < 0) child++;
    if (compare(&ranges[at].low, &ranges[child].low) >= 0) return;
    range t = ranges[at];
    ranges[at] = ranges[child];
    ranges[child] = t;
    at = child;
  }
}

static void sort(lua_State *L, wl_host *h, range *ranges, size_t count) {
  for (size_t i = count / 2; i-- > 0;) sift(ranges, i, count);
  for (size_t end = count; end-- > 1;) {
    wl_may_go_on(L, h);
    range t = ranges[0];
    ranges[0] = ranges[end];
    ranges[end] = t;
    sift(ranges, 0, end);
  }
}

static size_t merge(range *ranges, size_t count) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    if (n > 0 && compare(&ranges[i].low, &ranges[n - 1].high) <= 0) {
      if (compare(&ranges[i].high, &ranges[n - 1].high) > 0) ranges[n - 1].high = ranges[i].high;
    } else {
      ranges[n++] = ranges[i];
    }
  }
  return n;
}

// set{"10.0.0.0/8", ...}
static int ip_set(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (wl_thaw(L, 1)) lua_replace(L, 1);
  wl_host *h = wl_host_of(L);
  size_t count = lua_rawlen(L, 1);
  if (count > RANGES) luaL_error(L, "more than %d ranges", RANGES);
  // Room for each to become two.
  set *s = lua_newuserdatauv(L, sizeof *s + 2 * count * sizeof s->ranges[0], 0);
  s->count = 0;
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    wl_may_go_on(L, h);
    if (lua_rawgeti(L, 1, (lua_Integer)i + 1) != LUA_TSTRING) {
      luaL_error(L, "element %d of the set is a %s", (int)i + 1, luaL_typename(L, -1));
    }
    size_t bytes;
    const char *text = lua_tolstring(L, -1, &bytes);
    size_t made = read_range(wl_bytes(text, bytes), &s->ranges[n]);
    if (made == 0) {
      luaL_error(L, "element %d of the set, \"%s\", is no address or range", (int)i + 1, text);
    }
    n += made;
    lua_pop(L, 1);
  }
  sort(L, h, s->ranges, n);
  s->count = merge(s->ranges, n);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &set_class);
  lua_setmetatable(L, -2);
  return 1;
}

// The range that holds the address, or NULL.
static const range *find(const set *s, const address *a) {
  size_t low = 0, high = s->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (compare(&s->ranges[middle].low, a) <= 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low > 0 && compare(a, &s->ranges[low - 1].high) <= 0 ? &s->ranges[low - 1] : NULL;
}

static int set_contains(lua_State *L) {
  const set *s = wl_check_class(L, 1, &set_class, set_class_name);
  address a;
  int port;
  if (!read_endpoint(wl_text_arg(L, 2), &a, &port)) return wl_fail(L, "no IP address");
  lua_pushboolean(L, find(s, &a) != NULL);
  return 1;
}

static int set_length(lua_State *L) {
  const set *s = wl_check_class(L, 1, &set_class, set_class_name);
  lua_pushinteger(L, (lua_Integer)s->count);
  return 1;
}

void wl_install_addresses(lua_State *L) {
  static const luaL_Reg functions[] = {{"parse", ip_parse}, {"set", ip_set}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"contains", set_contains}, {NULL, NULL}};
  wl_new_class(L, &set_class, set_class_name, methods, NULL);
  lua_pushcfunction(L, set_length);
  lua_setfield(L, -2, "__len");
  lua_pop(L, 1);
  wl_add_library(L, "ip", functions);
}
