// What the libraries of the `weft` table share.
#ifndef WEFT_LIBRARY_H
#define WEFT_LIBRARY_H
#include "host.h"

static inline wl_text wl_text_arg(lua_State *L, int index) {
  size_t count;
  const char *text = luaL_checklstring(L, index, &count);
  return wl_bytes(text, count);
}

// Nanoseconds since 1970: the worker's, or those that a test has set.
static inline uint64_t wl_worker_wall(wl_host *h) {
  return WL_UNLIKELY(h->wall != NULL) ? *h->wall : h->calls.library.wall(h->context);
}

// Raises when the table at `index` has a field that is none of `names`, of which the last is NULL. What an error calls
// them: `kind` "option", `of` "weft.http.get".
void wl_check_options(lua_State *L, int index, const char *kind, const char *of, const char *const *names);

// For loops over what a script controls.
static inline void wl_may_go_on(lua_State *L, wl_host *h) {
  if (WL_UNLIKELY(h->expired)) wl_check_time(L, h);
}

// Pushes nil and the message: how a function says that its input is not what it should be. Returns 2.
int wl_fail(lua_State *L, const char *format, ...);

// Adds the table of `functions` to the one on top of the stack.
void wl_add_library(lua_State *L, const char *name, const luaL_Reg *functions);
// Pushes the metatable of userdata, made by `wl_new_class`, that `key` stands for.
void wl_new_class(lua_State *L, const void *key, const char *name, const luaL_Reg *methods, lua_CFunction gc);
// The userdata at `index` if it is of that class; raises otherwise.
void *wl_check_class(lua_State *L, int index, const void *key, const char *name);
void *wl_test_class(lua_State *L, int index, const void *key);

// Bytes of the UTF-8 sequence at `at`, below `end`: 1 to 4, or 0 when it is none (RFC 3629 4).
size_t wl_utf8_sequence(const uint8_t *at, const uint8_t *end);

// base64.c. `url`: with the alphabet of RFC 4648 5 and without padding. Both check the call's time.
void wl_push_base64(lua_State *L, wl_text bytes, int url);
// Pushes the decoded bytes; 0 and nothing pushed when there is something else in `text`.
int wl_push_decoded_base64(lua_State *L, wl_text text, int url);

// times.c: pushes the seconds since 1970 at `index`, or the present where there are none, as HTTP writes dates.
void wl_push_http_date(lua_State *L, int index);

// How bytes are handed to a script.
enum { WL_AS_HEX = 0, WL_AS_RAW, WL_AS_BASE64, WL_AS_BASE64_URL };
// The format that the optional argument at `index` names.
int wl_format_arg(lua_State *L, int index);
void wl_push_formatted(lua_State *L, wl_text bytes, int format);

// Each adds its part to the `weft` table on top of the stack.
void wl_install_json(lua_State *L);
void wl_install_base64(lua_State *L);
void wl_install_url(lua_State *L);
void wl_install_cookie(lua_State *L);
void wl_install_digests(lua_State *L);
void wl_install_crypto(lua_State *L);
void wl_install_random(lua_State *L);
void wl_install_time(lua_State *L);
void wl_install_addresses(lua_State *L);
void wl_install_regex(lua_State *L);
void wl_install_shared(lua_State *L);
void wl_install_http(lua_State *L);
void wl_install_all(lua_State *L);
void wl_install_metrics(lua_State *L);
void wl_install_background(lua_State *L);

#endif
