#ifndef WEFT_CLUAHOST_H
#define WEFT_CLUAHOST_H
// The Lua host: one lua_State with its bounds, the coroutines that calls run in, and what scripts find there.
//
// A Lua error is a longjmp. So that none crosses a Swift frame, everything that can raise one lives here, in C; Swift
// calls in through functions that catch every error, and gives plain accessors (`wl_accessors`) that never raise.
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "wl_library.h"

typedef struct wl_host wl_host;
typedef struct wl_slot wl_slot;

// The function that a call runs.
enum { WL_ON_REQUEST = 1, WL_ON_RESPONSE = 2, WL_ON_LOG = 3, WL_FUNCTIONS = 3 };

// A message's table of fields.
enum { WL_REQUEST_HEADERS = 1, WL_RESPONSE_HEADERS = 2, WL_REQUEST_TRAILERS = 3, WL_RESPONSE_TRAILERS = 4 };

// What scripts read and write as fields that begin with a colon.
enum { WL_PSEUDO_PATH = 1, WL_PSEUDO_METHOD, WL_PSEUDO_AUTHORITY, WL_PSEUDO_SCHEME, WL_PSEUDO_STATUS, WL_PSEUDO_UNKNOWN };

// How a call came back.
enum {
  // It has ended.
  WL_DONE = 0,
  // The same, after so much computing that `wl_take_spent` tells how much.
  WL_DONE_SLOWLY,
  // It waits for the whole body.
  WL_WAIT_BODY,
  // It waits for the next piece of the body, which goes on its way meanwhile.
  WL_WAIT_CHUNK,
  // It waits for the end of the body, and so for the trailers.
  WL_WAIT_TRAILERS,
  // It waits for `wl_slot.milliseconds`.
  WL_SLEEP,
  // It waits for the answer of a service.
  WL_WAIT_CALL,
  // It waits for answers to requests of `weft.http`, or for `wl_slot.milliseconds` unless that is 0. It looks itself what
  // has come.
  WL_WAIT_EVENTS,
  // It has answered through `wl_accessors.respond`, and has ended with that.
  WL_RESPONDED,
  // It has failed, and `wl_error` says why: the script's own error, ...
  WL_FAILED,
  // ... more processor time than a call may take, ...
  WL_FAILED_CPU,
  // ... or more memory than the state may have.
  WL_FAILED_MEMORY,
};

// What a change of fields came to.
enum { WL_SET = 0, WL_BAD_NAME, WL_BAD_VALUE, WL_FULL, WL_NOT_SUPPORTED };

// A field's name as a script gave it, looked at once.
typedef struct {
  // The Lua string's bytes, which tell one string from another.
  const char *key;
  // In lower case. A NULL base: no field can be called so.
  wl_text lower;
  // What `wl_accessors.classify` made of it.
  uint8_t known;
  // WL_PSEUDO_..., or WL_PSEUDO_UNKNOWN for another name that begins with a colon; 0: a plain field.
  uint8_t pseudo;
  uint8_t is_token;
} wl_name;

// Whether a message has a body to wait for.
enum { WL_BODY_NONE = 0, WL_BODY_COMING, WL_BODY_READY };

// Text of an exchange that scripts may ask for.
enum {
  WL_INFO_PROTOCOL = 0,
  WL_INFO_ROUTE,
  WL_INFO_SERVICE,
  WL_INFO_LOCAL_ADDRESS,
  WL_INFO_REMOTE_ADDRESS,
  WL_INFO_DIRECT_REMOTE_ADDRESS,
  WL_INFO_UPSTREAM_ADDRESS,
  WL_INFO_SERVER_NAME,
  WL_INFO_DETAILS,
  WL_INFO_FLAGS,
};

// What scripts may ask of a connection's TLS; the answers are, by kind: a flag, a text, a list of texts, a number.
enum {
  WL_TLS_PEER_PRESENTED = 0,
  WL_TLS_PEER_VALIDATED,
  WL_TLS_URI_SANS_LOCAL,
  WL_TLS_SHA256_PEER,
  WL_TLS_SERIAL_PEER,
  WL_TLS_ISSUER_PEER,
  WL_TLS_SUBJECT_PEER,
  WL_TLS_COMMON_NAME_PEER,
  WL_TLS_ORGANIZATIONS_PEER,
  WL_TLS_URI_SANS_PEER,
  WL_TLS_SUBJECT_LOCAL,
  WL_TLS_PEM_PEER,
  WL_TLS_PEM_CHAIN_PEER,
  WL_TLS_DNS_SANS_PEER,
  WL_TLS_DNS_SANS_LOCAL,
  WL_TLS_OIDS_PEER,
  WL_TLS_OIDS_LOCAL,
  WL_TLS_VALID_FROM_PEER,
  WL_TLS_EXPIRATION_PEER,
  WL_TLS_SESSION_ID,
  WL_TLS_CIPHER_SUITE_ID,
  WL_TLS_CIPHER_SUITE,
  WL_TLS_VERSION,
};

// Metrics of scripts.
enum { WL_STAT_COUNTER = 0, WL_STAT_GAUGE, WL_STAT_HISTOGRAM, WL_STATS };

// What a check of a signature came to.
enum { WL_SIGNATURE_RIGHT = 0, WL_SIGNATURE_WRONG, WL_SIGNATURE_UNKNOWN_DIGEST, WL_SIGNATURE_NO_KEY };

// Log levels, as Envoy's Lua filter names them.
enum { WL_TRACE = 0, WL_DEBUG, WL_INFO, WL_WARN, WL_ERROR, WL_CRITICAL };

#define WL_TEXT_BYTES 128

typedef struct {
  uint32_t milliseconds;
  // Nobody waits for the answer.
  int asynchronous;
  // Give every value of a field that comes several times, and not the last alone.
  int duplicates;
  // Send X-Forwarded-For.
  int forwarded_for;
} wl_call_options;

// What Swift gives: access to the exchange `x`. None of them raises, blocks or calls back into the host. Returned bytes
// are valid until the next accessor is called.
typedef struct {
  // Fills `known` and `is_token` from `lower`.
  void (*classify)(wl_name *name);
  // How many fields are called so, and the value of the first.
  size_t (*field_values)(void *x, int table, const wl_name *name, wl_text *first);
  // The value of the field called so at `index`, from 0.
  wl_text (*field_at)(void *x, int table, const wl_name *name, size_t index);
  // The first field at or after row `*row`, which moves behind it, below `end`; 0 when there is none.
  int (*field_row)(void *x, int table, size_t *row, size_t end, wl_text *name, wl_text *value);
  // Rows of the table.
  size_t (*field_rows)(void *x, int table);
  // Each WL_SET or why not. Name and value have been checked.
  int (*field_add)(void *x, int table, const wl_name *name, wl_text value);
  int (*field_replace)(void *x, int table, const wl_name *name, wl_text value);
  int (*field_remove)(void *x, int table, const wl_name *name);
  // buffer: WL_TEXT_BYTES for a text that is made and not found.
  wl_text (*pseudo_get)(void *x, int table, int pseudo, uint8_t *buffer);
  int (*pseudo_set)(void *x, int table, int pseudo, wl_text value);
  int (*set_reason)(void *x, wl_text reason);

  int (*body_state)(void *x, int function);
  wl_text (*body_get)(void *x, int function);
  int (*body_set)(void *x, int function, wl_text bytes);
  wl_text (*chunk_get)(void *x, void *chunk);
  int (*chunk_set)(void *x, void *chunk, wl_text bytes);

  // 0 when the body is too long. is_typed: a Content-Type is to follow.
  int (*respond)(void *x, int status, wl_text body, int is_typed);

  wl_text (*info)(void *x, int which, uint8_t *buffer);
  int64_t (*attempts)(void *x);
  // Values as tapes (see tape.c); none when there are none.
  wl_text (*dynamic_metadata)(void *x, void *owner, wl_text filter);
  wl_text (*dynamic_metadata_all)(void *x, void *owner);
  int (*set_dynamic_metadata)(void *x, wl_text filter, wl_text key, wl_text tape);
  wl_text (*route_metadata)(void *x, void *owner);
  // 0: no IP address.
  int (*override_host)(void *x, wl_text host, int strict);
  void (*clear_route)(void *x);
  void (*drain)(void *x);
  int (*is_tls)(void *x);
  // The answer as a tape; none: the connection has nothing to say to that.
  wl_text (*tls)(void *x, void *owner, int which);
  // Whether `der` is a public key. Checks a signature: WL_SIGNATURE_...
  int (*key_import)(void *owner, wl_text der);
  int (*key_check)(void *owner, wl_text digest, wl_text der, wl_text signature, wl_text data);

  // A call to a service is made in steps: begun (0: the filter may not call that service), its fields (pseudo fields
  // among them), sent. `call_send` says whether an answer is to be waited for; if not, there is one at once, as
  // `call_answer` gives it: a list of the headers and the body.
  int (*call_begin)(void *owner, wl_text service);
  void (*call_field)(void *owner, const wl_name *name, wl_text value);
  int (*call_send)(void *x, void *owner, wl_text body, wl_call_options options);
  wl_text (*call_answer)(void *x, void *owner);

  // A metric's number; -1: it cannot be. A change of a histogram is an observation. `sets`: to, and not by, the amount.
  int (*stat_open)(void *owner, int kind, wl_text name);
  void (*stat_change)(void *owner, int kind, int index, int64_t amount, int sets);
  int64_t (*stat_value)(void *owner, int kind, int index);

  int (*log_enabled)(void *owner, int level);
  void (*log)(void *owner, int level, wl_text message);

  // What the `weft` table's libraries need.
  wl_library library;
} wl_accessors;

// One file that `require` finds. The bytes must outlive the host.
typedef struct {
  // Relative to the bundle's folder: `main.lua`, `lib/tags.lua`.
  wl_text path;
  wl_text text;
} wl_source;

// The objects of a call, each made when a script first asks for it and kept with the coroutine.
enum {
  WL_HANDLE = 0,
  WL_HEADERS,
  WL_TRAILERS,
  WL_BODY,
  WL_CHUNK,
  WL_STREAM_INFO,
  WL_DYNAMIC_METADATA,
  WL_METADATA,
  WL_CONNECTION,
  WL_OTHER_REQUEST_HEADERS,
  WL_OTHER_RESPONSE_HEADERS,
  WL_FILTER_CONTEXT,
  WL_ROUTE,
  WL_VIRTUAL_HOST,
  WL_FILTER_STATE,
  WL_CONNECTION_INFO,
  WL_CONNECTION_METADATA,
  WL_TLS,
  WL_PEER_NAME,
  WL_STATS_SCOPE,
  WL_OBJECTS,
};

// A coroutine that calls run in, one after the other.
//
// A script's objects are userdata without content. One is valid if it is, by its address, an object of the slot and
// function that run at the moment: that takes one comparison, and whatever else a script has kept fails it.
struct wl_slot {
  // First, as in wl_host: a thread's extra space points to either.
  wl_host *host;
  lua_State *thread;
  // Only while the call runs.
  void *exchange;
  // The filter, for its logs and settings.
  void *owner;
  // The piece of the body at hand; NULL: none.
  void *chunk;
  // Of the function that runs: its row of `sets`.
  void **objects;
  void *sets[WL_FUNCTIONS][WL_OBJECTS];
  wl_slot *next;
  uint32_t milliseconds;
  // Registry references: the thread, the handles by function, the one of the function that runs, the filter's settings.
  int thread_ref;
  int handle_refs[WL_FUNCTIONS];
  int handle_ref;
  int settings_ref;
  uint8_t function;
  // What the call waits for: WL_WAIT_..., WL_SLEEP.
  uint8_t wait;
  // The head has gone on, so that it can be changed no more.
  uint8_t head_sent;
  // 0: not asked for yet; else WL_WAIT_BODY or WL_WAIT_CHUNK, the way in which it is read.
  uint8_t body;
  uint8_t body_ended;
  // respond() was given a Content-Type.
  uint8_t is_typed;
  // Calls to services that this run has made, and those of `weft.http` whose answers it has not read.
  uint16_t call_count;
  uint16_t open_calls;
  // Somebody has asked that it be resumed. For Swift; cleared when it runs.
  uint8_t wake_queued;
  // Work that belongs to no exchange; NULL: a call for one.
  void *work;
};

// A new state with the libraries that scripts may use.
// context: what the accessors of `wl_library` are given. memory: bytes that it may have, itself included.
// NULL: no memory, or not enough allowed.
wl_host *wl_open(const wl_accessors *accessors, void *context, size_t memory);
// Ends the state. No call may be under way or suspended.
void wl_close(wl_host *host);

// Runs `entry`, one of `sources`, and takes the functions that it defines.
// sources: must outlive the host. cpu_nanoseconds: processor time for that.
// Returns WL_DONE or why not.
int wl_load(wl_host *host, const wl_source *sources, size_t count, wl_text entry, uint64_t cpu_nanoseconds);
// Whether the script defines the function.
int wl_has(const wl_host *host, int function);
// Whether a Lua file could be compiled; WL_DONE or why not.
int wl_check(wl_host *host, const wl_source *source);

// Whether the script defines check_settings.
int wl_has_check_settings(const wl_host *host);
// Calls it, which must be defined.
// settings: a tape; none: there are no settings. cpu_nanoseconds: processor time for that. answer: none when nothing is
// wrong; otherwise a tape of a list: what is wrong, then names and positions (from 1) that lead to the setting. Valid until
// the next call.
// Returns WL_DONE or why not.
int wl_check_settings(wl_host *host, wl_text settings, uint64_t cpu_nanoseconds, wl_text *answer);

// Calls a function, which must be defined, with a handle to `exchange`.
// Returns how it came back; `*waiting` is the coroutine when that is WL_WAIT_... or WL_SLEEP.
int wl_start(wl_host *host, int function, void *exchange, void *owner, int settings, wl_slot **waiting);
// Lets a waiting call go on. chunk: the piece of the body at hand, or NULL.
int wl_resume(wl_slot *slot, void *exchange, void *chunk);
// Ends a waiting call that will not go on; its to-be-closed variables are closed.
void wl_cancel(wl_slot *slot);

// Work in the background. The functions that the script gave to `weft.every`, from 0, when it was loaded.
int wl_timer_count(const wl_host *host);
// Milliseconds between two runs.
uint32_t wl_timer_interval(const wl_host *host, int timer);
// Whether each worker runs it, and not one for all.
int wl_timer_is_each(const wl_host *host, int timer);
int wl_has_on_load(const wl_host *host);
// Calls the function of a timer, or with -1 `on_load`. work: not NULL. As `wl_start`.
int wl_start_work(wl_host *host, int timer, void *work, wl_slot **waiting);

// Why the last call failed, with a traceback; valid until the next call.
wl_text wl_error(const wl_host *host);

// Processor time of each call from here on.
void wl_limit_cpu(wl_host *host, uint64_t nanoseconds);
// Nanoseconds of processor time, to within 4 ms, of calls that took more than 4 ms, perhaps, or surely more than 8 ms. Those
// since it was last asked for, which is after each that has not returned WL_DONE.
uint64_t wl_take_spent(wl_host *host);
// Nanoseconds of processor time, at most 4 ms too many, of the longest that the host has kept its thread, as far as that
// was more than 4 ms. For any thread.
uint64_t wl_longest(const wl_host *host);
// Makes `wl_longest` at least so many nanoseconds: those of a state whose place this one takes.
void wl_inherit_longest(wl_host *host, uint64_t nanoseconds);
// Whether a call kept Lua's own code at work for so long that the state was given up: each call fails from then on. For
// any thread.
int wl_is_given_up(const wl_host *host);
// Whether that can be done here, known after the first call: not where Lua is linked into the program.
int wl_can_give_up(void);
// Bytes in use. For any thread.
size_t wl_memory(const wl_host *host);

// Blocks of memory that the state has taken so far, given back or not; for tests.
uint64_t wl_blocks(const wl_host *host);

// Makes a read-only table of a tape. Returns its reference, or LUA_NOREF when there is no memory.
int wl_make_settings(wl_host *host, wl_text tape);
void wl_release(wl_host *host, int reference);

// Coroutines in existence and how many of them are free; for tests and metrics.
size_t wl_slots(const wl_host *host);
size_t wl_free_slots(const wl_host *host);

// Whether signals reach a thread that only computes: not under ThreadSanitizer.
int wl_can_interrupt(void);

#include "wl_testing.h"

#endif
