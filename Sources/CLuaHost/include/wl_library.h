#ifndef WEFT_WL_LIBRARY_H
#define WEFT_WL_LIBRARY_H
// What the libraries of the `weft` table ask of Swift: clocks, random numbers, digests, keys, regular expressions. As the
// other accessors, none of these raises, blocks or calls back into the host.
#include <stddef.h>
#include <stdint.h>

// Borrowed bytes; a NULL base means that there are none, not that they are empty.
typedef struct {
  const uint8_t *base;
  size_t count;
} wl_text;

// Digest algorithms.
enum { WL_SHA1 = 0, WL_SHA256, WL_SHA384, WL_SHA512, WL_DIGESTS };
#define WL_DIGEST_BYTES 64

// How a public key is written.
enum { WL_KEY_PEM_OR_DER = 0, WL_KEY_RSA, WL_KEY_EC, WL_KEY_OKP };

// Signature algorithms (RFC 7518 3.1, RFC 8037 3.1).
enum {
  WL_RS256 = 0,
  WL_RS384,
  WL_RS512,
  WL_PS256,
  WL_PS384,
  WL_PS512,
  WL_ES256,
  WL_ES384,
  WL_EDDSA,
  WL_SIGNATURES,
};

// Options of a regular expression, which may be added up.
enum { WL_RE_CASELESS = 1, WL_RE_DOTALL = 2, WL_RE_MULTILINE = 4, WL_RE_UTF8 = 8 };
// Groups that a match may have, the whole match included.
#define WL_RE_GROUPS 64
// Not in a match.
#define WL_RE_UNSET SIZE_MAX

// Values of shared dictionaries.
enum { WL_NIL = 0, WL_BOOLEAN, WL_INTEGER, WL_NUMBER, WL_STRING };

typedef struct {
  int kind;
  // Of a boolean 0 or 1.
  int64_t integer;
  double number;
  wl_text text;
} wl_value;

// When a value is stored, and what comes of it.
enum { WL_SET_ALWAYS = 0, WL_SET_MISSING, WL_SET_THERE };
enum { WL_STORED = 0, WL_THERE, WL_MISSING, WL_TOO_LARGE };

// A request to a service; without an authority, the service's name is one.
typedef struct {
  wl_text service, method, path, authority, body;
  uint32_t milliseconds;
} wl_http_request;

// A family of metrics. help: none if its base is NULL.
enum { WL_COUNTER = 0, WL_GAUGE, WL_HISTOGRAM };
enum { WL_ADD = 0, WL_ASSIGN, WL_OBSERVE };

typedef struct {
  int kind;
  wl_text name, help;
  const wl_text *labels;
  size_t label_count;
  const double *buckets;
  size_t bucket_count;
} wl_metric;

struct wl_slot;

typedef struct {
  // Nanoseconds since 1970, and of a clock that does not go back, both as the worker knows them.
  uint64_t (*wall)(void *context);
  uint64_t (*monotonic)(void *context);
  // A random number, not for secrets.
  uint64_t (*random)(void *context);
  // Fills `out` from the system's cryptographic generator; 0 when it has failed.
  int (*random_bytes)(void *context, uint8_t *out, size_t count);

  // A digest, or with a key an HMAC; NULL when there is no memory. It takes its input in pieces.
  void *(*digest_begin)(int algorithm, const wl_text *key);
  int (*digest_update)(void *digest, wl_text bytes);
  // Ends it. out: WL_DIGEST_BYTES, or NULL to give it up. Returns the length, 0 when it has failed.
  size_t (*digest_end)(void *digest, uint8_t *out);
  // PBKDF2 with an HMAC of that algorithm. Returns 0 when it has failed.
  int (*pbkdf2)(int algorithm, wl_text password, wl_text salt, uint32_t iterations, uint8_t *out, size_t count);

  // A public key. RSA: n and e; EC: the curve's name, x and y; OKP: the curve's name and x. NULL: `*error` says why.
  void *(*key_read)(void *context, int kind, const wl_text *parts, wl_text *error);
  void (*key_free)(void *key);
  // `RSA`, `EC` or `Ed25519`.
  wl_text (*key_kind)(void *key);
  int (*key_bits)(void *key);
  // 1: the signature is the key's; 0: it is not; -1: the key is of another kind than the algorithm.
  int (*key_verify)(void *key, int algorithm, wl_text data, wl_text signature);

  // A regular expression. NULL: `*error` says why.
  void *(*regex_compile)(void *context, wl_text pattern, int options, wl_text *error);
  void (*regex_free)(void *regex);
  // Bytes that it takes.
  size_t (*regex_bytes)(void *regex);
  // Capturing groups, the whole match not counted.
  int (*regex_groups)(void *regex);
  // The group of that name; 0: none.
  int (*regex_group)(void *regex, wl_text name);
  // The first match at or after `from`: pairs of start and end for each group. Returns 1, 0 without a match, -1 with
  // `*error` when it was given up.
  int (*regex_match)(void *context, void *regex, wl_text subject, size_t from, size_t *offsets, wl_text *error);

  // A dictionary that all workers share, kept by its owner. NULL: `*error` says why. Times are in milliseconds, a `ttl` of
  // 0 is none.
  void *(*shared_open)(void *context, wl_text name, wl_text *error);
  void (*shared_get)(void *context, void *dictionary, wl_text key, wl_value *value);
  // mode: WL_SET_... Returns WL_STORED or why not.
  int (*shared_set)(void *context, void *dictionary, int mode, wl_text key, const wl_value *value, uint64_t ttl);
  // initial: of kind WL_NIL for none. WL_THERE: what is there is no number.
  int (*shared_increment)(
      void *context, void *dictionary, wl_text key, const wl_value *amount, const wl_value *initial, uint64_t ttl,
      wl_value *result);
  // Whether there was one.
  int (*shared_delete)(void *context, void *dictionary, wl_text key);
  // INT64_MAX: for ever; -1: there is none.
  int64_t (*shared_ttl)(void *context, void *dictionary, wl_text key);
  size_t (*shared_count)(void *context, void *dictionary);
  // A tape: a list of strings.
  wl_text (*shared_keys)(void *context, void *dictionary, size_t most);
  void (*shared_flush)(void *context, void *dictionary);

  // A request is made in steps: begun (0: the service is not allowed), its headers, sent. `http_send` gives its number, or
  // 0 when it is malformed. The answer is a tape: an object with `status`, `headers`, `all_headers` and `body`, or with
  // `failure` and `kind`. It can be had once. owner: the filter, or NULL.
  int (*http_begin)(void *context, void *owner, wl_text service);
  void (*http_field)(void *context, wl_text name, wl_text value);
  uint64_t (*http_send)(void *context, struct wl_slot *slot, const wl_http_request *request);
  int (*http_ready)(void *context, uint64_t request);
  wl_text (*http_answer)(void *context, uint64_t request);
  // The coroutine ends: what it has asked for is of no interest any more.
  void (*http_forget)(void *context, struct wl_slot *slot);

  // Registers a family and gives its number; -1: `*error` says why.
  int (*metric_make)(void *context, const wl_metric *metric, wl_text *error);
  // The series for these values of the labels; NULL where nothing is counted.
  void *(*metric_series)(void *context, int metric, const wl_text *values, size_t count);
  void (*metric_change)(void *context, int metric, void *series, int operation, double amount);

  // What there is to know of an exchange that has ended, as a tape: an object.
  wl_text (*record)(void *context, void *exchange);

  // Logs of work that belongs to no exchange.
  int (*log_enabled)(void *context, int level);
  void (*log)(void *context, int level, wl_text message);
} wl_library;

#endif
