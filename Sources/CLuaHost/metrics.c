// weft.metrics: counters, gauges and histograms of the bundle's own.
#include "library.h"
#include <math.h>
#include <string.h>

#define LABELS 6
#define NAME_BYTES 100
#define HELP_BYTES 200
#define VALUE_BYTES 128
#define BUCKETS 32
// Metrics of a state.
#define METRICS 64
// Label sets of one metric on one worker; what is beyond shares one series.
#define SERIES 200

static char metric_class;
static const char metric_class_name[] = "metric";

enum { SERIES_TABLE = 1, NAME_VALUE };

typedef struct {
  int number;
  int kind;
  int labels;
  int series;
} metric;

static const char *const kinds[] = {"counter", "gauge", "histogram"};
static const char *const options[] = {"help", NULL};
static const char *const histogram_options[] = {"help", "buckets", NULL};

// Bounds on the text of names are kept by whoever registers them.
static wl_text short_text(lua_State *L, int index, size_t most, const char *what) {
  if (lua_type(L, index) != LUA_TSTRING) luaL_error(L, "%s must be a string, not a %s", what, luaL_typename(L, index));
  wl_text text = wl_text_arg(L, index);
  if (text.count == 0 || text.count > most) luaL_error(L, "%s must have 1 to %d bytes", what, (int)most);
  return text;
}

// Upvalue 1: the kind. (name [, labels [, {help =, buckets =}]])
static int make_metric(lua_State *L) {
  wl_host *h = wl_host_of(L);
  wl_metric made = {0};
  made.kind = (int)lua_tointeger(L, lua_upvalueindex(1));
  made.name = short_text(L, 1, NAME_BYTES, "the name");
  lua_settop(L, 3);
  wl_text labels[LABELS];
  double buckets[BUCKETS];
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, 2)) {
      wl_may_go_on(L, h);
      lua_pop(L, 1);
      if (!lua_isinteger(L, -1)) luaL_error(L, "the labels are a list of names; options such as 'help' come after it");
    }
    size_t count = lua_rawlen(L, 2);
    if (count > LABELS) luaL_error(L, "more than %d labels", LABELS);
    for (size_t i = 0; i < count; i++) {
      lua_rawgeti(L, 2, (lua_Integer)i + 1);
      labels[i] = short_text(L, lua_gettop(L), NAME_BYTES, "a label's name");
    }
    made.label_count = count;
  }
  made.labels = labels;
  if (!lua_isnil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    const char *function = lua_pushfstring(L, "weft.metrics.%s", kinds[made.kind]);
    wl_check_options(L, 3, "option", function, made.kind == WL_HISTOGRAM ? histogram_options : options);
    if (lua_getfield(L, 3, "help") != LUA_TNIL) made.help = short_text(L, lua_gettop(L), HELP_BYTES, "'help'");
    if (lua_getfield(L, 3, "buckets") != LUA_TNIL) {
      int table = lua_gettop(L);
      luaL_checktype(L, table, LUA_TTABLE);
      size_t count = lua_rawlen(L, table);
      if (count == 0 || count > BUCKETS) luaL_error(L, "'buckets' must have 1 to %d elements", BUCKETS);
      for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, table, (lua_Integer)i + 1);
        if (lua_type(L, -1) != LUA_TNUMBER) luaL_error(L, "'buckets' must hold numbers");
        buckets[i] = lua_tonumber(L, -1);
        if (!(buckets[i] >= 0 && buckets[i] < 1e9)) luaL_error(L, "a bucket's bound must be 0 to 1e9");
        lua_pop(L, 1);
      }
      made.bucket_count = count;
    }
  }
  made.buckets = buckets;
  if (!h->is_loading) luaL_error(L, "metrics are made while a script is loaded");
  if (h->metrics >= METRICS) luaL_error(L, "more than %d metrics", METRICS);
  wl_text error = {NULL, 0};
  int number = h->calls.library.metric_make(h->context, &made, &error);
  if (number < 0) {
    lua_pushlstring(L, error.base ? (const char *)error.base : "", error.base ? error.count : 0);
    return luaL_error(L, "%s", lua_tostring(L, -1));
  }
  h->metrics++;
  metric *m = lua_newuserdatauv(L, sizeof *m, 2);
  *m = (metric){number, made.kind, (int)made.label_count, 0};
  lua_newtable(L);
  lua_setiuservalue(L, -2, SERIES_TABLE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, NAME_VALUE);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metric_class);
  lua_setmetatable(L, -2);
  return 1;
}

// The series for the values of the labels, which begin at `first`. Found by their texts, one after the other.
static void *series(lua_State *L, metric *m, int first) {
  wl_host *h = wl_host_of(L);
  wl_text values[LABELS];
  int given = lua_gettop(L) - first + 1;
  if (given != m->labels) luaL_error(L, "%d values of labels expected, not %d", m->labels, given > 0 ? given : 0);
  luaL_Buffer b;
  lua_getiuservalue(L, 1, SERIES_TABLE);
  int table = lua_gettop(L);
  if (m->labels == 1 && lua_type(L, first) == LUA_TSTRING) {
    lua_pushvalue(L, first);
  } else {
    luaL_buffinit(L, &b);
    for (int i = 0; i < m->labels; i++) {
      if (!lua_isstring(L, first + i)) {
        luaL_error(L, "the value of a label is a %s", luaL_typename(L, first + i));
      }
      size_t count;
      const char *text = lua_tolstring(L, first + i, &count);
      // The length first, so that no two lists look alike.
      char length[4] = {(char)(count >> 24), (char)(count >> 16), (char)(count >> 8), (char)count};
      if (m->labels > 1) luaL_addlstring(&b, length, 4);
      luaL_addlstring(&b, text, count > VALUE_BYTES ? VALUE_BYTES : count);
    }
    luaL_pushresult(&b);
  }
  lua_pushvalue(L, -1);
  lua_rawget(L, table);
  void *found = lua_touserdata(L, -1);
  if (found) return found;
  lua_pop(L, 1);
  int is_known = m->series < SERIES;
  for (int i = 0; i < m->labels; i++) {
    size_t count;
    const char *text = lua_tolstring(L, first + i, &count);
    values[i] = is_known ? wl_bytes(text, count > VALUE_BYTES ? VALUE_BYTES : count) : wl_bytes("other", 5);
  }
  if (!is_known) {
    // One series for all of them, kept under a key that no list of values has.
    lua_pop(L, 1);
    if (lua_rawgeti(L, table, 0) == LUA_TLIGHTUSERDATA) return lua_touserdata(L, -1);
    lua_pop(L, 1);
    lua_pushinteger(L, 0);
  }
  found = h->calls.library.metric_series(h->context, m->number, values, (size_t)m->labels);
  // A state that is only looked at counts nowhere.
  if (!found) return NULL;
  lua_pushlightuserdata(L, found);
  lua_rawset(L, table);
  m->series += is_known;
  return found;
}

static metric *check_metric(lua_State *L, int kinds, const char *what) {
  metric *m = wl_check_class(L, 1, &metric_class, metric_class_name);
  if (!(kinds & 1 << m->kind)) luaL_error(L, "this kind of metric has no %s()", what);
  return m;
}

static lua_Number amount_arg(lua_State *L, int index) {
  lua_Number amount = luaL_checknumber(L, index);
  luaL_argcheck(L, isfinite(amount) && fabs(amount) < 1e15, index, "a finite number");
  return amount;
}

static int change(lua_State *L, metric *m, int operation, lua_Number amount, int first) {
  wl_host *h = wl_host_of(L);
  // Files are run on another thread than the worker's, which alone may count.
  if (h->is_loading) luaL_error(L, "metrics count nothing while a script is loaded; use on_load");
  void *found = series(L, m, first);
  if (found) h->calls.library.metric_change(h->context, m->number, found, operation, amount);
  return 0;
}

#define COUNTER (1 << WL_COUNTER)
#define GAUGE (1 << WL_GAUGE)
#define HISTOGRAM (1 << WL_HISTOGRAM)

// inc(label values ...)
static int metric_inc(lua_State *L) { return change(L, check_metric(L, COUNTER | GAUGE, "inc"), WL_ADD, 1, 2); }
static int metric_dec(lua_State *L) { return change(L, check_metric(L, GAUGE, "dec"), WL_ADD, -1, 2); }

// add(amount, label values ...)
static int metric_add(lua_State *L) {
  metric *m = check_metric(L, COUNTER | GAUGE, "add");
  lua_Number amount = amount_arg(L, 2);
  luaL_argcheck(L, amount >= 0 || m->kind == WL_GAUGE, 2, "a counter only grows");
  return change(L, m, WL_ADD, amount, 3);
}

static int metric_set(lua_State *L) {
  metric *m = check_metric(L, GAUGE, "set");
  return change(L, m, WL_ASSIGN, amount_arg(L, 2), 3);
}

static int metric_observe(lua_State *L) {
  metric *m = check_metric(L, HISTOGRAM, "observe");
  lua_Number amount = amount_arg(L, 2);
  return change(L, m, WL_OBSERVE, amount < 0 ? 0 : amount, 3);
}

void wl_install_metrics(lua_State *L) {
  static const luaL_Reg methods[] = {{"inc", metric_inc}, {"dec", metric_dec},         {"add", metric_add},
                                     {"set", metric_set}, {"observe", metric_observe}, {NULL, NULL}};
  wl_new_class(L, &metric_class, metric_class_name, methods, NULL);
  lua_pop(L, 1);
  lua_newtable(L);
  for (int kind = 0; kind < 3; kind++) {
    lua_pushinteger(L, kind);
    lua_pushcclosure(L, make_metric, 1);
    lua_setfield(L, -2, kinds[kind]);
  }
  lua_setfield(L, -2, "metrics");
}
