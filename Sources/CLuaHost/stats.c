// handle:stats(): counters, gauges and histograms of a script's own, which live as long as the process.
#include "host.h"
#include <string.h>

// What the userdata of a metric hold.
typedef struct {
  int kind;
  int index;
} metric;

static char class_keys[WL_STATS];
static const char *const class_names[WL_STATS] = {"counter", "gauge", "histogram"};

static wl_slot *running(lua_State *L) {
  wl_slot *s = wl_host_of(L)->running;
  if (!s) luaL_error(L, "object used outside of proper scope");
  return s;
}

static int open_metric(lua_State *L, int kind) {
  wl_slot *s = wl_self(L, WL_STATS_SCOPE);
  size_t count;
  const char *name = luaL_checklstring(L, 2, &count);
  if (kind == WL_STAT_HISTOGRAM) {
    static const char *const units[] = {"ms", "milliseconds", "microseconds", "nanoseconds", "bytes", "unspecified"};
    const char *unit = luaL_optstring(L, 3, "unspecified");
    size_t i = 0;
    while (i < sizeof units / sizeof *units && strcmp(unit, units[i]) != 0) i++;
    if (i == sizeof units / sizeof *units) {
      luaL_error(L, "invalid histogram unit '%s', expected 'ms', 'milliseconds', 'microseconds', 'nanoseconds', "
                    "'bytes', or 'unspecified'", unit);
    }
  }
  metric *m = lua_newuserdatauv(L, sizeof *m, 0);
  m->kind = kind;
  m->index = s->host->calls.stat_open(s->owner, kind, wl_bytes(name, count));
  if (m->index < 0) luaL_error(L, "too many metrics, or too long a name");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &class_keys[kind]);
  lua_setmetatable(L, -2);
  return 1;
}

static int scope_counter(lua_State *L) { return open_metric(L, WL_STAT_COUNTER); }
static int scope_gauge(lua_State *L) { return open_metric(L, WL_STAT_GAUGE); }
static int scope_histogram(lua_State *L) { return open_metric(L, WL_STAT_HISTOGRAM); }

const luaL_Reg wl_stats_methods[] = {
    {"counter", scope_counter}, {"gauge", scope_gauge}, {"histogram", scope_histogram}, {NULL, NULL}};

static metric *self(lua_State *L, int kind) {
  int is_metric = lua_type(L, 1) == LUA_TUSERDATA && lua_getmetatable(L, 1);
  if (is_metric) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &class_keys[kind]);
    is_metric = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  if (!is_metric) luaL_typeerror(L, 1, class_names[kind]);
  return lua_touserdata(L, 1);
}

// Argument 2, a whole number that is not negative; a fraction is left out.
static int64_t amount(lua_State *L, const char *what) {
  lua_Number n = luaL_checknumber(L, 2);
  if (!(n >= 0)) luaL_error(L, "%s must be non-negative", what);
  return n < 9e15 ? (int64_t)n : INT64_C(9000000000000000);
}

static int change(lua_State *L, metric *m, int64_t by, int sets) {
  wl_slot *s = running(L);
  s->host->calls.stat_change(s->owner, m->kind, m->index, by, sets);
  return 0;
}

static int value_of(lua_State *L, metric *m) {
  wl_slot *s = running(L);
  lua_pushinteger(L, s->host->calls.stat_value(s->owner, m->kind, m->index));
  return 1;
}

static int counter_inc(lua_State *L) { return change(L, self(L, WL_STAT_COUNTER), 1, 0); }
static int counter_add(lua_State *L) {
  metric *m = self(L, WL_STAT_COUNTER);
  return change(L, m, amount(L, "counter add amount"), 0);
}
static int counter_value(lua_State *L) { return value_of(L, self(L, WL_STAT_COUNTER)); }

static int gauge_inc(lua_State *L) { return change(L, self(L, WL_STAT_GAUGE), 1, 0); }
static int gauge_dec(lua_State *L) { return change(L, self(L, WL_STAT_GAUGE), -1, 0); }
static int gauge_add(lua_State *L) {
  metric *m = self(L, WL_STAT_GAUGE);
  return change(L, m, amount(L, "gauge add amount"), 0);
}
static int gauge_sub(lua_State *L) {
  metric *m = self(L, WL_STAT_GAUGE);
  return change(L, m, -amount(L, "gauge sub amount"), 0);
}
static int gauge_set(lua_State *L) {
  metric *m = self(L, WL_STAT_GAUGE);
  return change(L, m, amount(L, "gauge set value"), 1);
}
static int gauge_value(lua_State *L) { return value_of(L, self(L, WL_STAT_GAUGE)); }

static int histogram_record(lua_State *L) {
  metric *m = self(L, WL_STAT_HISTOGRAM);
  return change(L, m, amount(L, "histogram value"), 0);
}

void wl_install_stats(lua_State *L) {
  static const luaL_Reg counter[] = {
      {"inc", counter_inc}, {"add", counter_add}, {"value", counter_value}, {NULL, NULL}};
  static const luaL_Reg gauge[] = {{"inc", gauge_inc}, {"dec", gauge_dec}, {"add", gauge_add}, {"sub", gauge_sub},
                                   {"set", gauge_set}, {"value", gauge_value}, {NULL, NULL}};
  static const luaL_Reg histogram[] = {{"recordValue", histogram_record}, {NULL, NULL}};
  const luaL_Reg *const methods[WL_STATS] = {counter, gauge, histogram};
  for (int kind = 0; kind < WL_STATS; kind++) {
    lua_createtable(L, 0, 3);
    lua_newtable(L);
    luaL_setfuncs(L, methods[kind], 0);
    luaL_setfuncs(L, wl_log_methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, class_names[kind]);
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &class_keys[kind]);
  }
}
