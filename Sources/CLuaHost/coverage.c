// Which lines of a script run, and which ones there are.
#include "host.h"
#include <stdlib.h>
#include <string.h>

static void count_line(lua_State *L, lua_Debug *ar) {
  wl_host *h = wl_host_of(L);
  lua_getinfo(L, "S", ar);
  // Names of sources are Lua strings, which stay where they are as long as their functions live.
  if (ar->source != h->counted_name) {
    h->counted_name = ar->source;
    h->counted = NULL;
    size_t length = strlen(ar->source);
    for (size_t i = 0; i < h->source_count && i < h->counted_files; i++) {
      wl_text path = h->sources[i].path;
      if (length == path.count + 1 && ar->source[0] == '@' && memcmp(ar->source + 1, path.base, path.count) == 0) {
        h->counted = &h->line_counts[i];
        break;
      }
    }
  }
  const wl_line_counts *c = h->counted;
  if (!c || !c->hits || ar->currentline < 0 || (size_t)ar->currentline >= c->count) return;
  if (c->hits[ar->currentline] < UINT32_MAX) c->hits[ar->currentline]++;
}

// Coroutines inherit the hook. The watchdog's own takes its place in a thread that it ends.
void wl_count_lines(wl_host *h, const wl_line_counts *counts, size_t files) {
  h->line_counts = counts;
  h->counted_files = files;
  lua_sethook(h->main, count_line, LUA_MASKLINE, 0);
}

// Lines with code. Lua tells them of a function that exists, but a function that never runs makes none of its inner
// ones: so they are read from the compiled form, which names the line of each instruction. Its layout is Lua 5.4's
// (ldump.c); text that this very library has compiled is all that is read.

typedef struct {
  const uint8_t *at;
  const uint8_t *end;
  int broken;
  uint8_t *active;
  size_t count;
} reader;

static const uint8_t *take(reader *r, size_t bytes) {
  if (r->broken || (size_t)(r->end - r->at) < bytes) {
    r->broken = 1;
    return NULL;
  }
  const uint8_t *p = r->at;
  r->at += bytes;
  return p;
}

static uint8_t take_byte(reader *r) {
  const uint8_t *p = take(r, 1);
  return p ? *p : 0;
}

// Groups of seven bits, the most significant first; the last one has its high bit set.
static size_t take_size(reader *r) {
  size_t value = 0;
  while (!r->broken) {
    uint8_t b = take_byte(r);
    if (value >> (sizeof value * 8 - 7)) r->broken = 1;
    value = value << 7 | (b & 0x7f);
    if (b & 0x80) break;
  }
  return value;
}

static void skip_string(reader *r) {
  size_t size = take_size(r);
  if (size > 1) take(r, size - 1);
}

static void skip_constants(reader *r) {
  for (size_t n = take_size(r); n > 0 && !r->broken; n--) {
    switch (take_byte(r)) {
    case LUA_TNUMBER: take(r, sizeof(lua_Integer)); break;
    case LUA_TNUMBER | 1 << 4: take(r, sizeof(lua_Number)); break;
    case LUA_TSTRING:
    case LUA_TSTRING | 1 << 4: skip_string(r);
    }
  }
}

// An instruction whose distance from the line before does not fit into a byte.
#define ABSOLUTE (-128)
#define DEPTH 200

static void read_function(reader *r, int depth) {
  if (depth > DEPTH) r->broken = 1;
  skip_string(r);
  size_t line = take_size(r);
  take_size(r);
  take_byte(r);
  int is_vararg = take_byte(r);
  take_byte(r);
  size_t instructions = take_size(r);
  if (instructions > (size_t)(r->end - r->at) / 4) r->broken = 1;
  take(r, r->broken ? 0 : instructions * 4);
  skip_constants(r);
  size_t upvalues = take_size(r);
  if (upvalues > 255) r->broken = 1;
  take(r, r->broken ? 0 : upvalues * 3);
  for (size_t n = take_size(r); n > 0 && !r->broken; n--) read_function(r, depth + 1);

  size_t lines = take_size(r);
  const uint8_t *steps = take(r, lines);
  size_t jumps = take_size(r);
  for (size_t pc = 0; steps && !r->broken && pc < lines; pc++) {
    if ((int8_t)steps[pc] == ABSOLUTE) {
      take_size(r);
      line = take_size(r);
      if (jumps-- == 0) r->broken = 1;
    } else {
      line = (size_t)((long long)line + (int8_t)steps[pc]);
    }
    // A function that takes any number of arguments begins by sorting them; each ends with a return of its own, which
    // stands on the line of its `end`.
    if ((pc == 0 && is_vararg) || pc + 1 == lines) continue;
    if (!r->broken && line < r->count) r->active[line] = 1;
  }
  for (size_t n = take_size(r); n > 0 && !r->broken; n--) {
    skip_string(r);
    take_size(r);
    take_size(r);
  }
  for (size_t n = take_size(r); n > 0 && !r->broken; n--) skip_string(r);
}

typedef struct {
  const wl_source *source;
  uint8_t *active;
  size_t count;
  uint8_t *code;
  size_t size;
} lines_call;

static int write_code(lua_State *L, const void *bytes, size_t count, void *user) {
  (void)L;
  lines_call *call = user;
  uint8_t *bigger = realloc(call->code, call->size + count);
  if (!bigger) return 1;
  memcpy(bigger + call->size, bytes, count);
  call->code = bigger;
  call->size += count;
  return 0;
}

static int find_lines(lua_State *L) {
  lines_call *call = lua_touserdata(L, 1);
  const wl_source *s = call->source;
  if (luaL_loadbufferx(L, (const char *)s->text.base, s->text.count, "=file", "t") != LUA_OK) lua_error(L);
  if (lua_dump(L, write_code, call, 0) != 0) luaL_error(L, "no memory to look at the code");
  // Signature, version, format, a check of line ends, three sizes, an integer and a number; then how many upvalues.
  size_t header = 4 + 1 + 1 + 6 + 3 + sizeof(lua_Integer) + sizeof(lua_Number) + 1;
  if (call->size < header) luaL_error(L, "the compiled form is cut off");
  reader r = {call->code + header, call->code + call->size, 0, call->active, call->count};
  read_function(&r, 0);
  if (r.broken) luaL_error(L, "the compiled form is not that of %s", LUA_VERSION);
  return 0;
}

int wl_code_lines(wl_host *h, const wl_source *source, uint8_t *active, size_t count) {
  lines_call call = {source, active, count, NULL, 0};
  int outcome = wl_protect(h, find_lines, &call);
  free(call.code);
  return outcome;
}
