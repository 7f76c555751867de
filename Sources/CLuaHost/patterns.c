#include "patterns.h"
#include <ctype.h>
#include <string.h>

#define ESCAPE '%'
#define CAPTURE_OPEN (-1)
#define CAPTURE_POSITION (-2)
// C stack is bounded: one level takes some 100 bytes.
#define DEPTH_LIMIT 200

void wl_begin_match(wl_matcher *m, lua_State *L, const char *subject, size_t subject_count, const char *pattern_end) {
  m->L = L;
  m->host = wl_host_of(L);
  m->subject = subject;
  m->subject_end = subject + subject_count;
  m->pattern_end = pattern_end;
  m->depth = 0;
  m->captures = 0;
}

static inline void may_go_on(const wl_matcher *m) {
  if (WL_UNLIKELY(m->host->expired)) wl_check_time(m->L, m->host);
}

// Where the item for one character that begins at `p` ends, its quantifier not counted.
static const char *item_end(wl_matcher *m, const char *p) {
  if (*p == ESCAPE) {
    if (p + 1 == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
    return p + 2;
  }
  if (*p != '[') return p + 1;
  p++;
  if (p < m->pattern_end && *p == '^') p++;
  // A closing bracket that comes first stands for itself.
  for (const char *first = p; p < m->pattern_end; p++) {
    if (*p == ']' && p != first) return p + 1;
    if (*p == ESCAPE) p++;
  }
  luaL_error(m->L, "malformed pattern (missing ']')");
  return NULL;
}

static int in_class(int c, int class) {
  int is_in;
  switch (tolower(class)) {
  case 'a': is_in = isalpha(c); break;
  case 'c': is_in = iscntrl(c); break;
  case 'd': is_in = isdigit(c); break;
  case 'g': is_in = isgraph(c); break;
  case 'l': is_in = islower(c); break;
  case 'p': is_in = ispunct(c); break;
  case 's': is_in = isspace(c); break;
  case 'u': is_in = isupper(c); break;
  case 'w': is_in = isalnum(c); break;
  case 'x': is_in = isxdigit(c); break;
  // Not in the manual any more, but in Lua.
  case 'z': is_in = c == 0; break;
  default: return class == c;
  }
  return isupper(class) ? !is_in : is_in != 0;
}

// Whether c is in the set from `p`, its opening bracket, to `end`, behind its closing one.
static int in_set(int c, const char *p, const char *end) {
  int wanted = 1;
  const char *last = end - 1;
  p++;
  if (*p == '^') {
    wanted = 0;
    p++;
  }
  while (p < last) {
    if (*p == ESCAPE) {
      if (in_class(c, (unsigned char)p[1])) return wanted;
      p += 2;
    } else if (p + 2 < last && p[1] == '-') {
      if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2]) return wanted;
      p += 3;
    } else {
      if ((unsigned char)*p == c) return wanted;
      p++;
    }
  }
  return !wanted;
}

// Whether the item from `p` to `end` matches the character at `s`.
static int matches_one(const wl_matcher *m, const char *s, const char *p, const char *end) {
  if (s >= m->subject_end) return 0;
  int c = (unsigned char)*s;
  switch (*p) {
  case '.': return 1;
  case ESCAPE: return in_class(c, (unsigned char)p[1]);
  case '[': return in_set(c, p, end);
  default: return (unsigned char)*p == c;
  }
}

// %bxy: from an x to the y that balances it.
static const char *balanced(wl_matcher *m, const char *s, const char *p) {
  if (m->pattern_end - p < 2) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
  if (s >= m->subject_end || *s != p[0]) return NULL;
  int open = 1;
  for (s++; s < m->subject_end; s++) {
    may_go_on(m);
    if (*s == p[1]) {
      if (--open == 0) return s + 1;
    } else if (*s == p[0]) {
      open++;
    }
  }
  return NULL;
}

static int frontier(wl_matcher *m, const char *s, const char *set, const char *end) {
  int before = s == m->subject ? 0 : (unsigned char)s[-1];
  int after = s == m->subject_end ? 0 : (unsigned char)*s;
  return !in_set(before, set, end) && in_set(after, set, end);
}

static int closed_capture(wl_matcher *m, int digit) {
  int index = digit - '1';
  if (index < 0 || index >= m->captures || m->capture[index].length == CAPTURE_OPEN) {
    luaL_error(m->L, "invalid capture index %%%d", index + 1);
  }
  return index;
}

static const char *same_as_capture(wl_matcher *m, const char *s, int digit) {
  int index = closed_capture(m, digit);
  ptrdiff_t length = m->capture[index].length;
  if (length < 0) return length == CAPTURE_POSITION ? s : NULL;
  return m->subject_end - s >= length && memcmp(m->capture[index].start, s, (size_t)length) == 0 ? s + length : NULL;
}

static const char *with_capture(wl_matcher *m, const char *s, const char *p, ptrdiff_t length) {
  if (m->captures >= WL_CAPTURES) luaL_error(m->L, "too many captures");
  m->capture[m->captures].start = s;
  m->capture[m->captures].length = length;
  m->captures++;
  const char *end = wl_match(m, s, p);
  if (!end) m->captures--;
  return end;
}

static const char *closing_capture(wl_matcher *m, const char *s, const char *p) {
  int index = m->captures - 1;
  while (index >= 0 && m->capture[index].length != CAPTURE_OPEN) index--;
  if (index < 0) luaL_error(m->L, "invalid pattern capture");
  m->capture[index].length = s - m->capture[index].start;
  const char *end = wl_match(m, s, p);
  if (!end) m->capture[index].length = CAPTURE_OPEN;
  return end;
}

// As many as possible, then fewer.
static const char *greedy(wl_matcher *m, const char *s, const char *p, const char *end, ptrdiff_t least) {
  ptrdiff_t count = 0;
  while (matches_one(m, s + count, p, end)) {
    may_go_on(m);
    count++;
  }
  for (; count >= least; count--) {
    const char *rest = wl_match(m, s + count, end + 1);
    if (rest) return rest;
  }
  return NULL;
}

// As few as possible, then more.
static const char *lazy(wl_matcher *m, const char *s, const char *p, const char *end) {
  for (;; s++) {
    const char *rest = wl_match(m, s, end + 1);
    if (rest || !matches_one(m, s, p, end)) return rest;
  }
}

static const char *match_items(wl_matcher *m, const char *s, const char *p) {
  while (p != m->pattern_end) {
    // Every way through the matcher that can take long comes by here.
    may_go_on(m);
    switch (*p) {
    case '(':
      if (p + 1 < m->pattern_end && p[1] == ')') return with_capture(m, s, p + 2, CAPTURE_POSITION);
      return with_capture(m, s, p + 1, CAPTURE_OPEN);
    case ')': return closing_capture(m, s, p + 1);
    case '$':
      if (p + 1 == m->pattern_end) return s == m->subject_end ? s : NULL;
      break;
    case ESCAPE: {
      int next = p + 1 < m->pattern_end ? (unsigned char)p[1] : 0;
      if (next == 'b') {
        if (!(s = balanced(m, s, p + 2))) return NULL;
        p += 4;
        continue;
      }
      if (next == 'f') {
        p += 2;
        if (p >= m->pattern_end || *p != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
        const char *end = item_end(m, p);
        if (!frontier(m, s, p, end)) return NULL;
        p = end;
        continue;
      }
      if (isdigit(next)) {
        if (!(s = same_as_capture(m, s, next))) return NULL;
        p += 2;
        continue;
      }
      break;
    }
    }
    const char *end = item_end(m, p);
    char quantifier = end < m->pattern_end ? *end : 0;
    switch (quantifier) {
    case '*': return greedy(m, s, p, end, 0);
    case '+': return greedy(m, s, p, end, 1);
    case '-': return lazy(m, s, p, end);
    case '?':
      if (matches_one(m, s, p, end)) {
        const char *rest = wl_match(m, s + 1, end + 1);
        if (rest) return rest;
      }
      p = end + 1;
      continue;
    default:
      if (!matches_one(m, s, p, end)) return NULL;
      s++;
      p = end;
    }
  }
  return s;
}

const char *wl_match(wl_matcher *m, const char *s, const char *p) {
  if (++m->depth > DEPTH_LIMIT) luaL_error(m->L, "pattern too complex");
  const char *end = match_items(m, s, p);
  m->depth--;
  return end;
}

void wl_push_capture(wl_matcher *m, int index, const char *start, const char *end) {
  if (index >= m->captures) {
    if (index != 0) luaL_error(m->L, "invalid capture index %%%d", index + 1);
    lua_pushlstring(m->L, start, (size_t)(end - start));
    return;
  }
  ptrdiff_t length = m->capture[index].length;
  if (length == CAPTURE_OPEN) luaL_error(m->L, "unfinished capture");
  if (length == CAPTURE_POSITION) {
    lua_pushinteger(m->L, m->capture[index].start - m->subject + 1);
  } else {
    lua_pushlstring(m->L, m->capture[index].start, (size_t)length);
  }
}

int wl_push_captures(wl_matcher *m, const char *start, const char *end) {
  int count = m->captures == 0 && start ? 1 : m->captures;
  luaL_checkstack(m->L, count, "too many captures");
  for (int i = 0; i < count; i++) wl_push_capture(m, i, start, end);
  return count;
}
