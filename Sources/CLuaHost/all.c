// weft.all{function, ...}: runs functions that wait side by side, each in a coroutine of its own.
//
// The coroutine that called is the scheduler: it runs each function up to where it waits, and yields itself when all of
// them do. Whoever resumes it need not say what has come: it looks.
#include "tasks.h"

// Functions of one call.
#define TASKS 32

typedef struct {
  int count;
  wl_task tasks[];
} group;

static char group_class;

wl_task *wl_task_of(lua_State *L) {
  wl_host *h = wl_host_of(L);
  void *owner = *(void **)lua_getextraspace(L);
  return owner == (void *)h || owner == (void *)h->running ? NULL : (wl_task *)owner;
}

void wl_check_wait_in_task(lua_State *L, wl_slot *s, const char *what) {
  if (!wl_task_of(L)) {
    wl_check_wait(L, s, what);
    return;
  }
  if (s->host->closing) luaL_error(L, "%s cannot wait while a coroutine is closed", what);
  if (!lua_isyieldable(L)) luaL_error(L, "%s cannot wait here: a C function or metamethod stands in between", what);
}

// The threads may live on in a script's variable; nothing there leads back here.
static void let_go(group *g) {
  for (int i = 0; i < g->count; i++) {
    if (g->tasks[i].thread) *(void **)lua_getextraspace(g->tasks[i].thread) = g->tasks[i].host;
    g->tasks[i].thread = NULL;
  }
}

static int group_gc(lua_State *L) {
  let_go(lua_touserdata(L, 1));
  return 0;
}

// 1: the functions; 2: the group; 3: results; 4: errors; 5: threads.
enum { FUNCTIONS = 1, GROUP, RESULTS, ERRORS, THREADS };

// Takes what the task has ended with: its first two values, or its error.
static void finish(lua_State *L, wl_task *task, int number, int status, int results) {
  lua_State *co = task->thread;
  task->state = WL_TASK_ENDED;
  if (status != LUA_OK) {
    lua_xmove(co, L, 1);
    lua_rawseti(L, ERRORS, number);
    return;
  }
  if (results > 2) lua_pop(co, results - 2);
  if (results >= 2) {
    lua_xmove(co, L, 1);
    lua_rawseti(L, ERRORS, number);
  }
  if (results >= 1) {
    lua_xmove(co, L, 1);
    lua_rawseti(L, RESULTS, number);
  }
}

static void run(lua_State *L, wl_host *h, wl_task *task, int number) {
  lua_State *co = task->thread;
  task->state = WL_TASK_READY;
  int results;
  h->current = co;
  int status = lua_resume(co, L, 0, &results);
  h->current = L;
  wl_check_time(L, h);
  if (status != LUA_YIELD) {
    finish(L, task, number, status, results);
  } else if (task->state == WL_TASK_READY) {
    // Its own coroutine.yield(): nobody could resume it.
    lua_settop(co, 0);
    lua_pushliteral(co, "a function of weft.all performed an unexpected yield");
    finish(L, task, number, LUA_ERRRUN, 1);
  } else {
    lua_pop(co, results);
  }
}

static int step(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  wl_host *h = wl_host_of(L);
  wl_slot *s = h->running;
  group *g = lua_touserdata(L, GROUP);
  for (;;) {
    uint64_t now = h->calls.library.monotonic(h->context) / 1000000;
    uint64_t first = UINT64_MAX;
    int waiting = 0, ran = 0;
    for (int i = 0; i < g->count; i++) {
      wl_task *task = &g->tasks[i];
      if (task->state == WL_TASK_ENDED) continue;
      if ((task->state == WL_TASK_CALL && !h->calls.library.http_ready(h->context, task->call)) ||
          (task->state == WL_TASK_SLEEP && task->wake > now)) {
        waiting++;
        if (task->state == WL_TASK_SLEEP && task->wake < first) first = task->wake;
        continue;
      }
      ran++;
      run(L, h, task, i + 1);
    }
    if (ran > 0) continue;
    if (waiting == 0) break;
    s->milliseconds = first == UINT64_MAX ? 0 : (uint32_t)(first - now);
    s->wait = WL_WAIT_EVENTS;
    return lua_yieldk(L, 0, 0, step);
  }
  let_go(g);
  lua_settop(L, ERRORS);
  return 2;
}

static int weft_all(lua_State *L) {
  wl_host *h = wl_host_of(L);
  wl_slot *s = h->running;
  luaL_checktype(L, 1, LUA_TTABLE);
  if (!s) luaL_error(L, "weft.all() is not for the time when a script is loaded; use on_load");
  if (wl_task_of(L)) luaL_error(L, "weft.all() cannot be used inside of weft.all()");
  wl_check_wait(L, s, "weft.all()");
  lua_settop(L, FUNCTIONS);
  size_t count = lua_rawlen(L, FUNCTIONS);
  if (count > TASKS) luaL_error(L, "more than %d functions", TASKS);
  group *g = lua_newuserdatauv(L, sizeof *g + count * sizeof g->tasks[0], 1);
  g->count = 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &group_class);
  lua_setmetatable(L, GROUP);
  lua_newtable(L);
  lua_newtable(L);
  lua_createtable(L, (int)count, 0);
  // The group keeps its threads, so that they are there when it is collected.
  lua_pushvalue(L, THREADS);
  lua_setiuservalue(L, GROUP, 1);
  for (size_t i = 0; i < count; i++) {
    if (lua_rawgeti(L, FUNCTIONS, (lua_Integer)i + 1) != LUA_TFUNCTION) {
      luaL_error(L, "element %d is a %s and no function", (int)i + 1, luaL_typename(L, -1));
    }
    lua_State *co = lua_newthread(L);
    lua_rawseti(L, THREADS, (lua_Integer)i + 1);
    lua_xmove(L, co, 1);
    g->tasks[i] = (wl_task){h, co, WL_TASK_READY, 0, 0};
    g->count++;
    *(void **)lua_getextraspace(co) = &g->tasks[i];
  }
  return step(L, LUA_OK, 0);
}

void wl_install_all(lua_State *L) {
  wl_new_class(L, &group_class, "group", NULL, group_gc);
  lua_pop(L, 1);
  lua_pushcfunction(L, weft_all);
  lua_setfield(L, -2, "all");
}
