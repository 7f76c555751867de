// The life of a state: opened, loaded, closed; its memory and its errors.
#include "host.h"
#include <stdlib.h>
#include <string.h>

static void *allocate(void *user, void *old, size_t old_size, size_t size) {
  wl_host *h = user;
  // Without an old block, `old_size` tells what kind of object the new one is for.
  size_t was = old ? old_size : 0;
  size_t used = h->used;
  wl_block *block = old ? (wl_block *)old - 1 : NULL;
  if (size == 0) {
    if (block) {
      block->previous->next = block->next;
      block->next->previous = block->previous;
      free(block);
    }
    __atomic_store_n(&h->used, used - was, __ATOMIC_RELAXED);
    return NULL;
  }
  if (WL_UNLIKELY(size > was && size - was > (h->limit > used ? h->limit - used : 0))) return NULL;
  if (WL_UNLIKELY(size > SIZE_MAX - sizeof *block)) return NULL;
  wl_block *made = realloc(block, size + sizeof *block);
  h->blocks += !old;
  if (made && !block) {
    made->previous = &h->ring;
    made->next = h->ring.next;
  }
  if (made) {
    made->previous->next = made;
    made->next->previous = made;
  } else {
    // Lua relies on it that making a block smaller never fails.
    if (size > was) return NULL;
    made = block;
  }
  __atomic_store_n(&h->used, used + size - was, __ATOMIC_RELAXED);
  return made + 1;
}

uint64_t wl_blocks(const wl_host *h) { return h->blocks; }

size_t wl_memory(const wl_host *h) { return __atomic_load_n(&h->used, __ATOMIC_RELAXED); }

static int open_libraries(lua_State *L) {
  static const luaL_Reg libraries[] = {
      {LUA_GNAME, luaopen_base},       {LUA_STRLIBNAME, luaopen_string}, {LUA_TABLIBNAME, luaopen_table},
      {LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8},  {LUA_COLIBNAME, luaopen_coroutine},
      {LUA_OSLIBNAME, luaopen_os},     {NULL, NULL},
  };
  for (const luaL_Reg *l = libraries; l->name; l++) {
    luaL_requiref(L, l->name, l->func, 1);
    lua_pop(L, 1);
  }
  wl_install_frozen(L);
  wl_install_names(L);
  wl_install_sandbox(L);
  wl_install_bounded(L);
  wl_install_strings(L);
  wl_install_tables(L);
  wl_install_coroutines(L);
  wl_install_objects(L);
  wl_install_keys(L);
  wl_install_stats(L);
  wl_install_compatibility(L);
  wl_install_globals(L);
  wl_install_library(L);
  static const uint8_t empty[] = {'o', 0, 0, 0, 0};
  wl_push_frozen(L, wl_bytes(empty, sizeof empty));
  wl_host_of(L)->no_settings = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

wl_host *wl_open(const wl_accessors *accessors, void *context, size_t memory) {
  wl_host *h = calloc(1, sizeof *h);
  if (!h) return NULL;
  h->host = h;
  h->calls = *accessors;
  h->context = context;
  h->limit = memory;
  h->ring.previous = h->ring.next = &h->ring;
  for (int i = 0; i <= WL_FUNCTIONS; i++) h->functions[i] = LUA_NOREF;
  h->on_load = LUA_NOREF;
  h->check_settings = LUA_NOREF;
  h->main = lua_newstate(allocate, h);
  if (!h->main) {
    free(h);
    return NULL;
  }
  *(void **)lua_getextraspace(h->main) = h;
  // A state is small and its garbage strings: waiting longer between collections saves more time than it costs memory,
  // and the limit on memory makes Lua collect anyway before it gives up.
  lua_gc(h->main, LUA_GCINC, 400, 200, 0);
  lua_pushcfunction(h->main, open_libraries);
  if (lua_pcall(h->main, 0, 0, 0) != LUA_OK) {
    wl_close(h);
    return NULL;
  }
  return h;
}

void wl_close(wl_host *h) {
  h->running = NULL;
  // One that has been given up cannot be walked through any more. What its objects hold outside of its memory, compiled
  // patterns and keys, is lost with it.
  if (h->is_given_up) {
    for (wl_block *block = h->ring.next; block != &h->ring;) {
      wl_block *next = block->next;
      free(block);
      block = next;
    }
  } else {
    lua_close(h->main);
  }
  for (wl_slot *s = h->free; s;) {
    wl_slot *next = s->next;
    free(s);
    s = next;
  }
  free(h->tape);
  free(h);
}

void wl_limit_cpu(wl_host *h, uint64_t nanoseconds) { h->cpu_limit = nanoseconds; }

wl_text wl_error(const wl_host *h) { return wl_bytes(h->error, h->error_count); }

static void set_error(wl_host *h, const char *text, size_t count) {
  if (count > WL_ERROR_BYTES) count = WL_ERROR_BYTES;
  memcpy(h->error, text, count);
  h->error_count = count;
}

void wl_set_error(wl_host *h, const char *text) { set_error(h, text, strlen(text)); }

// The text of the error object at `index`. Its own __tostring is not asked: that would be the script's code.
static const char *message_of(lua_State *L, int index) {
  int type = lua_type(L, index);
  if (type == LUA_TSTRING || type == LUA_TNUMBER) return lua_tostring(L, index);
  return lua_pushfstring(L, "(error object is a %s value)", lua_typename(L, type));
}

// Writes the traceback of a thread (light userdata 1), whose error is on top of its stack.
static int describe(lua_State *L) {
  wl_host *h = wl_host_of(L);
  lua_State *thread = lua_touserdata(L, 1);
  lua_xmove(thread, L, 1);
  wl_push_traceback(L, thread, message_of(L, 2), 0);
  size_t count;
  const char *text = lua_tolstring(L, -1, &count);
  set_error(h, text, count);
  return 0;
}

int wl_failed(wl_host *h, lua_State *thread, int status, int expired) {
  if (status == LUA_ERRMEM) {
    wl_set_error(h, WL_MEMORY_ERROR);
    return WL_FAILED_MEMORY;
  }
  lua_State *L = h->main;
  lua_pushcfunction(L, describe);
  lua_pushlightuserdata(L, thread);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    lua_pop(L, 1);
    wl_set_error(
        h, expired ? "the call has used up its processor time, and there is no memory to describe it"
                   : "a Lua error, and no memory to describe it");
  }
  return expired ? WL_FAILED_CPU : WL_FAILED;
}

// Message handler while a file is loaded: adds the traceback where the error is raised.
static int with_traceback(lua_State *L) {
  wl_push_traceback(L, L, message_of(L, 1), 1);
  return 1;
}

static int compile(lua_State *L, const wl_source *source) {
  const char *name = lua_pushfstring(L, "@%s", lua_pushlstring(L, (const char *)source->path.base, source->path.count));
  int status = luaL_loadbufferx(L, (const char *)source->text.base, source->text.count, name, "t");
  lua_insert(L, -3);
  lua_pop(L, 2);
  return status;
}

// A reference to the global function; LUA_NOREF where the script defines none.
static int take_function(lua_State *L, const char *name) {
  if (lua_getglobal(L, name) == LUA_TNIL) {
    lua_pop(L, 1);
    return LUA_NOREF;
  }
  if (!lua_isfunction(L, -1)) luaL_error(L, "%s is a %s and no function", name, luaL_typename(L, -1));
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int run_entry(lua_State *L) {
  wl_host *h = wl_host_of(L);
  const wl_source *entry = lua_touserdata(L, 1);
  if (compile(L, entry) != LUA_OK) return lua_error(L);
  lua_call(L, 0, 0);
  static const char *const names[][2] = {
      {"on_request", "envoy_on_request"}, {"on_response", "envoy_on_response"}, {"on_log", "on_log"}};
  for (int i = 0; i < WL_FUNCTIONS; i++) {
    lua_getglobal(L, names[i][0]);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_getglobal(L, names[i][1]);
    }
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
    } else if (!lua_isfunction(L, -1)) {
      luaL_error(L, "%s is a %s and no function", names[i][0], luaL_typename(L, -1));
    } else {
      h->functions[i + 1] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
  }
  h->on_load = take_function(L, "on_load");
  h->check_settings = take_function(L, "check_settings");
  lua_gc(L, LUA_GCCOLLECT);
  return 0;
}

static int run_check(lua_State *L) { return compile(L, lua_touserdata(L, 1)) != LUA_OK ? lua_error(L) : 0; }

int wl_protect(wl_host *h, lua_CFunction function, const void *argument) {
  lua_State *L = h->main;
  if (!wl_enter(h, L)) {
    wl_set_error(h, WL_NO_TIMER_ERROR);
    return WL_FAILED;
  }
  lua_pushcfunction(L, with_traceback);
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, (void *)argument);
  int status = lua_pcall(L, 1, 0, 1);
  int expired = h->expired;
  wl_leave(h);
  int outcome = WL_DONE;
  if (status == LUA_ERRMEM) {
    wl_set_error(h, WL_MEMORY_ERROR);
    outcome = WL_FAILED_MEMORY;
  } else if (status != LUA_OK) {
    size_t count = 0;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &count) : NULL;
    set_error(h, text ? text : "a Lua error", text ? count : sizeof "a Lua error" - 1);
    outcome = expired ? WL_FAILED_CPU : WL_FAILED;
  }
  lua_settop(L, 0);
  return outcome;
}

int wl_load(wl_host *h, const wl_source *sources, size_t count, wl_text entry, uint64_t cpu) {
  h->sources = sources;
  h->source_count = count;
  h->cpu_limit = cpu;
  for (size_t i = 0; i < count; i++) {
    if (sources[i].path.count == entry.count && memcmp(sources[i].path.base, entry.base, entry.count) == 0) {
      h->is_loading = 1;
      int outcome = wl_protect(h, run_entry, &sources[i]);
      h->is_loading = 0;
      return outcome;
    }
  }
  wl_set_error(h, "the entry file is missing");
  return WL_FAILED;
}

int wl_check(wl_host *h, const wl_source *source) { return wl_protect(h, run_check, source); }

int wl_has(const wl_host *h, int function) {
  return function >= 1 && function <= WL_FUNCTIONS && h->functions[function] != LUA_NOREF;
}

static int make_settings(lua_State *L) {
  const wl_text *tape = lua_touserdata(L, 1);
  wl_push_frozen(L, *tape);
  lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
  return 1;
}

int wl_make_settings(wl_host *h, wl_text tape) {
  if (h->is_given_up) return LUA_NOREF;
  lua_State *L = h->main;
  lua_pushcfunction(L, make_settings);
  lua_pushlightuserdata(L, &tape);
  int reference = LUA_NOREF;
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) reference = (int)lua_tointeger(L, -1);
  lua_settop(L, 0);
  return reference;
}

void wl_release(wl_host *h, int reference) {
  if (!h->is_given_up) luaL_unref(h->main, LUA_REGISTRYINDEX, reference);
}
