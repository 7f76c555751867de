// What the files of this target share.
#ifndef WEFT_HOST_H
#define WEFT_HOST_H
#include "cluahost.h"
#include <setjmp.h>

// Slots of a coroutine's stack that stay in use between calls: the functions, then their handles.
#define WL_PARKED (2 * WL_FUNCTIONS)
#define WL_ERROR_BYTES 4096
// Nesting of values that go to Lua or come from there.
#define WL_TAPE_DEPTH 32
// Longest field name that scripts can use.
#define WL_NAME_BYTES 256
// Names that a host remembers; a power of two.
#define WL_NAMES 64
// Functions that a script may give to weft.every.
#define WL_TIMERS 16

// A function that is called at intervals.
typedef struct {
  int function;
  uint32_t milliseconds;
  int each;
} wl_timer;

// What stands before each block of a state's memory; of the size that keeps the block aligned.
typedef struct wl_block {
  struct wl_block *previous, *next;
} wl_block;

struct wl_host {
  // Points to this struct, so that a thread's extra space may point here or to a slot.
  wl_host *host;
  lua_State *main;
  wl_accessors calls;
  // For the accessors of `calls.library`.
  void *context;

  // The call under way; NULL while none is. `current` is the thread that computes: the call's, or one of the script's
  // own coroutines.
  wl_slot *running;
  lua_State *volatile current;
  // The call has used up its processor time. Set by the signal handler on this very thread.
  volatile sig_atomic_t expired;
  // The call has been found computing at two ticks or more. Set by the same; also set when `expired` is.
  volatile sig_atomic_t noticed;
  // Processor time of calls that were noticed; see wl_take_spent.
  uint64_t spent;
  // Where control goes when the state is given up; see wl_hold. `armed`: the place is there.
  jmp_buf way_out;
  volatile sig_atomic_t armed;
  int is_given_up;
  // Processor time of the longest hold that was noticed.
  uint64_t longest;
  // Coroutines are being closed, so that none of their code may wait.
  int closing;
  uint64_t cpu_limit;

  size_t used;
  size_t limit;
  // All blocks of the state, in a ring: one that is given up cannot be walked through by Lua any more to be freed.
  wl_block ring;
  // Blocks of memory that the state has taken so far.
  uint64_t blocks;

  wl_slot *free;
  size_t slots;
  size_t free_count;
  int functions[WL_FUNCTIONS + 1];
  // Work in the background, defined while the files are run.
  int is_loading;
  int on_load;
  int check_settings;
  wl_timer timers[WL_TIMERS];
  int timer_count;
  // What settings() gives where there are none.
  int no_settings;

  const wl_source *sources;
  size_t source_count;

  // The names that scripts used last, by the address of their strings, which are kept from being collected.
  wl_name names[WL_NAMES];

  // Public keys and regular expressions that scripts hold: their memory is not the state's.
  int keys;
  int regexes;
  size_t regex_bytes;
  int metrics;

  // A tape that is being written for Swift, kept here so that an error leaks none.
  uint8_t *tape;
  size_t tape_count;
  size_t tape_capacity;

  // For tests (see wl_testing.h); NULL in a proxy.
  const uint64_t *wall;
  wl_bridge bridge;
  void *bridge_context;
  const wl_line_counts *line_counts;
  size_t counted_files;
  // The source that ran last, by the address of its name.
  const char *counted_name;
  const wl_line_counts *counted;

  size_t error_count;
  char error[WL_ERROR_BYTES];
};

#define WL_LIKELY(x) __builtin_expect(!!(x), 1)
#define WL_UNLIKELY(x) __builtin_expect(!!(x), 0)

static inline wl_host *wl_host_of(lua_State *L) { return **(wl_host ***)lua_getextraspace(L); }

// The slot whose coroutine `L` is; NULL for the main thread and the script's own coroutines.
static inline wl_slot *wl_slot_of(lua_State *L) {
  void *owner = *(void **)lua_getextraspace(L);
  return owner == (void *)wl_host_of(L) ? NULL : (wl_slot *)owner;
}

static inline wl_text wl_bytes(const void *base, size_t count) {
  wl_text t = {(const uint8_t *)base, count};
  return t;
}

#define WL_MEMORY_ERROR "the bundle's Lua state has reached its memory limit"
#define WL_NO_TIMER_ERROR "the system gives no timer to limit the script with"

// host.c: what `wl_error` gives.
void wl_set_error(wl_host *host, const char *text);
// Describes the error that has ended `thread`, and classifies it.
int wl_failed(wl_host *host, lua_State *thread, int status, int expired);
// traceback.c. As luaL_traceback, in a time that does not grow with the depth of the thread's stack.
void wl_push_traceback(lua_State *L, lua_State *thread, const char *message, int level);
// Calls `function` with a light userdata, protected and within the limits.
int wl_protect(wl_host *host, lua_CFunction function, const void *argument);

// testing.c: nanoseconds since 1970, as scripts see them.
uint64_t wl_wall(const wl_host *host);

// guard.c: bounds a call's processor time. `wl_enter` returns 0 when the system gives no timer.
int wl_enter(wl_host *host, lua_State *L);
// What ticks have seen of the call that is left.
enum { WL_NOTICED = 1, WL_EXPIRED = 2 };
int wl_leave(wl_host *host);
// The call that has just been left has failed: counts its time for `wl_take_spent` even if only one tick has found it.
void wl_count_failure(wl_host *host);

// Everything that is asked of a host is done between these two: the call, and what its end brings (closing, a traceback,
// the collector). Where Lua's own code keeps the thread for much longer than a call may take, in a place that no hook
// reaches, the state is given up: control comes back out of `setjmp(h->way_out)`, with `armed` set after it was called,
// and `wl_give_up` follows. What the state holds is lost to the process, so that this is for what would be worse.
//
// wl_hold returns 0 within another hold, which then is the one that counts.
int wl_hold(wl_host *host);
void wl_let_go(wl_host *host);
// What follows has the time of a call for itself.
void wl_begin_part(wl_host *host);
// Sets the error. Returns WL_FAILED_CPU.
int wl_give_up(wl_host *host);
// The error of each call to a state that has been given up. Returns WL_FAILED_CPU.
int wl_refuse_given_up(wl_host *host);

// Raises when the call has used up its time. For C code that loops; Lua code is stopped by a hook.
void wl_check_time(lua_State *L, wl_host *host);

// sandbox.c, bounded.c, strings.c, tables.c, coroutines.c: the libraries. Raise.
void wl_install_sandbox(lua_State *L);
void wl_install_bounded(lua_State *L);
// Raises when string.format has more to do than it may.
void wl_check_format(lua_State *L);
void wl_install_strings(lua_State *L);
void wl_install_tables(lua_State *L);
void wl_install_coroutines(lua_State *L);

// sandbox.c: logs the values on the stack. Raises.
void wl_log_arguments(lua_State *L, int level);

// objects.c: the classes of the API, and the objects of a slot. Raise.
void wl_install_objects(lua_State *L);
// keys.c, stats.c, compatibility.c. Raise.
void wl_install_keys(lua_State *L);
void wl_install_stats(lua_State *L);
void wl_install_compatibility(lua_State *L);
void wl_new_handle(lua_State *L, wl_slot *slot, int function);
// The running slot if argument 1 is its object of that kind; raises otherwise.
wl_slot *wl_self(lua_State *L, int kind);
// Pushes the running slot's object of that kind.
int wl_push_object(lua_State *L, wl_slot *slot, int kind);
// Raises unless the call may wait here. `what` names the method.
void wl_check_wait(lua_State *L, wl_slot *slot, const char *what);

extern const luaL_Reg wl_handle_methods[], wl_header_methods[], wl_buffer_methods[], wl_stream_info_methods[],
    wl_dynamic_metadata_methods[], wl_metadata_methods[], wl_connection_methods[], wl_filter_context_methods[],
    wl_route_methods[], wl_virtual_host_methods[], wl_filter_state_methods[], wl_connection_info_methods[],
    wl_connection_metadata_methods[], wl_tls_methods[], wl_peer_name_methods[], wl_stats_methods[],
    wl_log_methods[];
// Metamethods.
int wl_headers_pairs(lua_State *L);
int wl_dynamic_metadata_pairs(lua_State *L);
int wl_metadata_pairs(lua_State *L);
int wl_filter_context_pairs(lua_State *L);
int wl_connection_metadata_pairs(lua_State *L);
// __index of the filter context; upvalue 1: its methods.
int wl_filter_context_index(lua_State *L);
void wl_install_globals(lua_State *L);

// tape.c. Raise.
void wl_push_tape(lua_State *L, wl_text tape);
void wl_push_frozen(lua_State *L, wl_text tape);
wl_text wl_write_tape(lua_State *L, int index);
// The table behind a read-only one at `index`, pushed; 0 and nothing pushed when it is none.
int wl_thaw(lua_State *L, int index);
// Adds to the bytes that are being written, which begin anew with `tape_count` = 0.
void wl_put(lua_State *L, wl_host *h, const void *bytes, size_t count);
// Pushes what has been written, and gives much memory back.
void wl_push_written(lua_State *L, wl_host *h);
void wl_install_frozen(lua_State *L);

// library.c: what the `weft` table holds besides sleep(). Raises.
void wl_install_library(lua_State *L);

// headers.c: the name at `index`, which must be a string.
const wl_name *wl_name_at(lua_State *L, wl_host *host, int index);
// Whether a field may have that value.
int wl_is_value(wl_text value);
void wl_check_set(lua_State *L, int result, const char *name);
// The fields of one name in the headers that argument 1 is; raises when it is none.
// lower: the name, in lower case, which must outlive the result.
typedef struct {
  wl_slot *slot;
  int table;
  wl_name name;
  size_t count;
} wl_values;
wl_values wl_values_of(lua_State *L, const char *lower);
// Valid until the next accessor is called.
wl_text wl_value_at(const wl_values *values, size_t index);
void wl_install_names(lua_State *L);

#endif
