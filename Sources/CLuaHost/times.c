// weft.time: the worker's clocks, and dates as HTTP (RFC 9110 5.6.7) and RFC 3339 write them.
#include "library.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// The seconds since 1970 of the years 0000 to 9999.
#define FIRST_SECOND (-62167219200LL)
#define LAST_SECOND 253402300799LL

typedef struct {
  int64_t year;
  int month, day, hour, minute, second, weekday;
} date;

static int is_leap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

static int days_in(int64_t year, int month) {
  static const int count[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : count[month - 1];
}

static int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// Days from 1970 to the first of January. Years of 365 days, and the leap days between.
static int64_t days_to_year(int64_t year) {
  int64_t y = year - 1;
  int64_t leaps = floor_divide(y, 4) - floor_divide(y, 100) + floor_divide(y, 400);
  return 365 * (year - 1970) + leaps - 477;
}

static int64_t seconds_of(const date *d) {
  int64_t count = days_to_year(d->year) + d->day - 1;
  for (int m = 1; m < d->month; m++) count += days_in(d->year, m);
  return count * 86400 + d->hour * 3600 + d->minute * 60 + d->second;
}

static date date_of(int64_t seconds) {
  date d;
  int64_t day = floor_divide(seconds, 86400);
  int rest = (int)(seconds - day * 86400);
  d.hour = rest / 3600;
  d.minute = rest / 60 % 60;
  d.second = rest % 60;
  // 1970 began on a Thursday.
  d.weekday = (int)((day % 7 + 11) % 7);
  d.year = 1970 + floor_divide(day * 400, 146097);
  while (days_to_year(d.year) > day) d.year--;
  while (days_to_year(d.year + 1) <= day) d.year++;
  int left = (int)(day - days_to_year(d.year));
  d.month = 1;
  while (left >= days_in(d.year, d.month)) left -= days_in(d.year, d.month++);
  d.day = left + 1;
  return d;
}

static int is_date(const date *d) {
  return d->month >= 1 && d->month <= 12 && d->day >= 1 && d->day <= days_in(d->year, d->month) && d->hour <= 23 &&
         d->minute <= 59 && d->second <= 60;
}

static lua_Number now(lua_State *L) { return (lua_Number)wl_worker_wall(wl_host_of(L)) / 1e9; }

static int time_now(lua_State *L) {
  lua_pushnumber(L, now(L));
  return 1;
}

static int time_monotonic(lua_State *L) {
  wl_host *h = wl_host_of(L);
  lua_pushnumber(L, (lua_Number)h->calls.library.monotonic(h->context) / 1e9);
  return 1;
}

// The argument, or the present time.
static lua_Number time_arg(lua_State *L, int index) {
  lua_Number seconds =
      lua_isnoneornil(L, index) ? now(L) : luaL_checknumber(L, index);
  luaL_argcheck(L, seconds >= FIRST_SECOND && seconds < LAST_SECOND + 1, index, "a time outside the years 0 to 9999");
  return seconds;
}

void wl_push_http_date(lua_State *L, int index) {
  date d = date_of((int64_t)floor(time_arg(L, index)));
  char text[64];
  int n = snprintf(
      text, sizeof text, "%.3s, %02d %s %04d %02d:%02d:%02d GMT", days[d.weekday], d.day, months[d.month - 1],
      (int)d.year, d.hour, d.minute, d.second);
  lua_pushlstring(L, text, (size_t)n);
}

static int time_http_date(lua_State *L) {
  wl_push_http_date(L, 1);
  return 1;
}

// rfc3339([seconds [, digits]])
static int time_rfc3339(lua_State *L) {
  lua_Number seconds = time_arg(L, 1);
  lua_Integer digits = luaL_optinteger(L, 2, 0);
  luaL_argcheck(L, digits >= 0 && digits <= 9, 2, "0 to 9 digits");
  int64_t whole = (int64_t)floor(seconds);
  date d = date_of(whole);
  char text[64];
  int n = snprintf(
      text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", (int)d.year, d.month, d.day, d.hour, d.minute, d.second);
  if (digits > 0) {
    // Cut, not rounded: a time does not become a later one.
    long nanoseconds = (long)((seconds - (lua_Number)whole) * 1e9);
    char fraction[16];
    snprintf(fraction, sizeof fraction, "%09ld", nanoseconds > 999999999 ? 999999999 : nanoseconds);
    text[n++] = '.';
    memcpy(text + n, fraction, (size_t)digits);
    n += (int)digits;
  }
  text[n++] = 'Z';
  lua_pushlstring(L, text, (size_t)n);
  return 1;
}

// Parsing: a cursor over the text, with a NUL behind it.

// So many digits as a number; -1 when they are not there.
static int number(const char **at, int digits) {
  int value = 0;
  for (int i = 0; i < digits; i++, (*at)++) {
    if (**at < '0' || **at > '9') return -1;
    value = value * 10 + (**at - '0');
  }
  return value;
}

static int literal(const char **at, const char *text) {
  size_t n = strlen(text);
  if (strncmp(*at, text, n) != 0) return 0;
  *at += n;
  return 1;
}

static int month_name(const char **at) {
  for (int i = 0; i < 12; i++) {
    if (literal(at, months[i])) return i + 1;
  }
  return -1;
}

static int clock_time(const char **at, date *d) {
  d->hour = number(at, 2);
  if (d->hour < 0 || !literal(at, ":")) return 0;
  d->minute = number(at, 2);
  if (d->minute < 0 || !literal(at, ":")) return 0;
  d->second = number(at, 2);
  return d->second >= 0;
}

// Sun, 06 Nov 1994 08:49:37 GMT
static int fixed_date(const char *at, date *d) {
  int day = -1;
  for (int i = 0; i < 7 && day < 0; i++) {
    if (strncmp(at, days[i], 3) == 0) day = i;
  }
  if (day < 0) return 0;
  at += 3;
  if (!literal(&at, ", ")) return 0;
  if ((d->day = number(&at, 2)) < 0 || !literal(&at, " ")) return 0;
  if ((d->month = month_name(&at)) < 0 || !literal(&at, " ")) return 0;
  if ((d->year = number(&at, 4)) < 0 || !literal(&at, " ")) return 0;
  return clock_time(&at, d) && literal(&at, " GMT") && *at == 0;
}

// Sunday, 06-Nov-94 08:49:37 GMT
static int rfc850_date(const char *at, date *d, int64_t present) {
  int found = 0;
  for (int i = 0; i < 7 && !found; i++) found = literal(&at, days[i]);
  if (!found || !literal(&at, ", ")) return 0;
  if ((d->day = number(&at, 2)) < 0 || !literal(&at, "-")) return 0;
  if ((d->month = month_name(&at)) < 0 || !literal(&at, "-")) return 0;
  int year = number(&at, 2);
  if (year < 0 || !literal(&at, " ")) return 0;
  // More than 50 years ahead means the century before (RFC 9110 5.6.7).
  int64_t this_year = date_of(present).year;
  d->year = this_year - this_year % 100 + year;
  if (d->year > this_year + 50) d->year -= 100;
  return clock_time(&at, d) && literal(&at, " GMT") && *at == 0;
}

// Sun Nov  6 08:49:37 1994
static int asctime_date(const char *at, date *d) {
  int found = 0;
  for (int i = 0; i < 7 && !found; i++) found = strncmp(at, days[i], 3) == 0;
  if (!found) return 0;
  at += 3;
  if (!literal(&at, " ") || (d->month = month_name(&at)) < 0 || !literal(&at, " ")) return 0;
  d->day = literal(&at, " ") ? number(&at, 1) : number(&at, 2);
  if (d->day < 0 || !literal(&at, " ") || !clock_time(&at, d) || !literal(&at, " ")) return 0;
  return (d->year = number(&at, 4)) >= 0 && *at == 0;
}

static int time_parse_http_date(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  wl_host *h = wl_host_of(L);
  int64_t present = (int64_t)(wl_worker_wall(h) / 1000000000);
  date d;
  if (!((fixed_date(text, &d) || rfc850_date(text, &d, present) || asctime_date(text, &d)) && is_date(&d))) {
    return wl_fail(L, "no HTTP date");
  }
  lua_pushinteger(L, seconds_of(&d));
  return 1;
}

static int time_parse_rfc3339(lua_State *L) {
  const char *at = luaL_checkstring(L, 1);
  date d;
  double fraction = 0;
  int has_fraction = 0;
  if ((d.year = number(&at, 4)) < 0 || !literal(&at, "-")) goto malformed;
  if ((d.month = number(&at, 2)) < 0 || !literal(&at, "-")) goto malformed;
  if ((d.day = number(&at, 2)) < 0) goto malformed;
  if (*at != 'T' && *at != 't' && *at != ' ') goto malformed;
  at++;
  if (!clock_time(&at, &d) || !is_date(&d)) goto malformed;
  if (literal(&at, ".")) {
    has_fraction = 1;
    int digits = 0;
    double scale = 0.1;
    for (; *at >= '0' && *at <= '9'; at++, scale /= 10) {
      if (++digits > 18) goto malformed;
      fraction += (*at - '0') * scale;
    }
    if (digits == 0) goto malformed;
  }
  int64_t seconds = seconds_of(&d);
  if (*at == 'Z' || *at == 'z') {
    at++;
  } else {
    if (*at != '+' && *at != '-') goto malformed;
    int sign = *at++ == '+' ? 1 : -1;
    int hours = number(&at, 2);
    if (hours < 0 || hours > 23 || !literal(&at, ":")) goto malformed;
    int minutes = number(&at, 2);
    if (minutes < 0 || minutes > 59) goto malformed;
    seconds -= sign * (hours * 3600 + minutes * 60);
  }
  if (*at != 0) goto malformed;
  if (has_fraction) {
    lua_pushnumber(L, (lua_Number)seconds + fraction);
  } else {
    lua_pushinteger(L, seconds);
  }
  return 1;
malformed:
  return wl_fail(L, "no RFC 3339 time");
}

void wl_install_time(lua_State *L) {
  static const luaL_Reg functions[] = {{"now", time_now},
                                       {"monotonic", time_monotonic},
                                       {"http_date", time_http_date},
                                       {"parse_http_date", time_parse_http_date},
                                       {"rfc3339", time_rfc3339},
                                       {"parse_rfc3339", time_parse_rfc3339},
                                       {NULL, NULL}};
  wl_add_library(L, "time", functions);
}
