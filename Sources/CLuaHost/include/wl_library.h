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
  // Capturing groups, the whole match not counted.
  int (*regex_groups)(void *regex);
  // The group of that name; 0: none.
  int (*regex_group)(void *regex, wl_text name);
  // The first match at or after `from`: pairs of start and end for each group. Returns 1, 0 without a match, -1 with
  // `*error` when it was given up.
  int (*regex_match)(void *context, void *regex, wl_text subject, size_t from, size_t *offsets, wl_text *error);
} wl_library;

#endif
