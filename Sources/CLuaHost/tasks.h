// Waiting inside of weft.all: its functions run in coroutines of the host's, of which each may wait.
#ifndef WEFT_TASKS_H
#define WEFT_TASKS_H
#include "library.h"

// What a task waits for.
enum { WL_TASK_READY = 0, WL_TASK_CALL, WL_TASK_SLEEP, WL_TASK_ENDED };

// One function of a weft.all.
typedef struct {
  // First, as in wl_host and wl_slot: the thread's extra space points here while the group lives.
  wl_host *host;
  lua_State *thread;
  uint8_t state;
  // The call, or when to go on: monotonic milliseconds.
  uint64_t call;
  uint64_t wake;
} wl_task;

// The task whose coroutine `L` is; NULL for others.
wl_task *wl_task_of(lua_State *L);
// Raises unless the call may wait here: in the call's own coroutine or in a task.
void wl_check_wait_in_task(lua_State *L, wl_slot *slot, const char *what);

#endif
