// Lua's patterns (manual, 6.4.1), matched by code that can be interrupted.
#ifndef WEFT_PATTERNS_H
#define WEFT_PATTERNS_H
#include "host.h"

#define WL_CAPTURES 32

typedef struct {
  lua_State *L;
  wl_host *host;
  const char *subject;
  const char *subject_end;
  const char *pattern_end;
  // Nested calls of the matcher.
  int depth;
  int captures;
  struct {
    const char *start;
    // CAPTURE_OPEN while its end has not been reached, CAPTURE_POSITION for `()`.
    ptrdiff_t length;
  } capture[WL_CAPTURES];
} wl_matcher;

void wl_begin_match(wl_matcher *m, lua_State *L, const char *subject, size_t subject_count, const char *pattern_end);
// The end of a match of `pattern` that begins at `at`, or NULL. Raises for a malformed pattern, and when the call has
// used up its time.
const char *wl_match(wl_matcher *m, const char *at, const char *pattern);
// Pushes capture `index`, from 0; of a pattern without captures, capture 0 is the whole match.
void wl_push_capture(wl_matcher *m, int index, const char *start, const char *end);
// Pushes all of them, or the whole match. Returns how many. start: NULL leaves the whole match out.
int wl_push_captures(wl_matcher *m, const char *start, const char *end);

#endif
