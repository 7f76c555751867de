// handle:record(): what there is to know of an exchange that has ended.
#include "host.h"

int wl_handle_record(lua_State *L) {
  wl_slot *s = wl_self(L, WL_HANDLE);
  if (s->function != WL_ON_LOG) luaL_error(L, "record() is for on_log: the exchange has not ended");
  wl_text tape = s->host->calls.library.record(s->host->context, s->exchange);
  if (!tape.base) return luaL_error(L, "the exchange is no more");
  wl_push_tape(L, tape);
  return 1;
}
