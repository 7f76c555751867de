// weft.crypto: public keys, signatures, comparison in constant time, random bytes.
#include "library.h"
#include <string.h>

// Keys that a state may hold at a time: their memory is not the state's.
#define KEYS 256
// Bytes of a key's text.
#define KEY_BYTES (16 * 1024)
// Of a password and of its salt; and rounds of one hash, some tens of milliseconds.
#define PASSWORD_BYTES 1024
#define ITERATIONS 50000

static char key_class;
static const char key_class_name[] = "public key";

typedef struct {
  void *key;
} key_object;

static int key_gc(lua_State *L) {
  key_object *o = lua_touserdata(L, 1);
  wl_host *h = wl_host_of(L);
  if (o->key) {
    h->calls.library.key_free(o->key);
    h->keys--;
  }
  o->key = NULL;
  return 0;
}

static key_object *check_key(lua_State *L, int index) {
  key_object *o = wl_check_class(L, index, &key_class, key_class_name);
  if (!o->key) luaL_error(L, "the key is no more");
  return o;
}

static int push_key(lua_State *L, int kind, const wl_text *parts) {
  wl_host *h = wl_host_of(L);
  if (h->keys >= KEYS) {
    // Perhaps most of them are garbage.
    lua_gc(L, LUA_GCCOLLECT);
    wl_check_time(L, h);
    if (h->keys >= KEYS) luaL_error(L, "more than %d public keys", KEYS);
  }
  key_object *o = lua_newuserdatauv(L, sizeof *o, 0);
  o->key = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_class);
  lua_setmetatable(L, -2);
  wl_text error = {NULL, 0};
  o->key = h->calls.library.key_read(h->context, kind, parts, &error);
  if (o->key) {
    h->keys++;
    return 1;
  }
  lua_pushnil(L);
  lua_pushlstring(L, error.base ? (const char *)error.base : "", error.base ? error.count : 0);
  return 2;
}

// Pushes the text of a field of the key at index 1; NULL without one.
static const char *field(lua_State *L, const char *name, size_t *count) {
  lua_getfield(L, 1, name);
  return lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, count) : NULL;
}

// The bytes of a field in base64 with the URL alphabet, kept on the stack; a NULL base when it is none.
static wl_text decoded(lua_State *L, const char *name) {
  size_t count = 0;
  const char *text = field(L, name, &count);
  if (!text || count > KEY_BYTES || !wl_push_decoded_base64(L, wl_bytes(text, count), 1)) return wl_bytes(NULL, 0);
  text = lua_tolstring(L, -1, &count);
  return wl_bytes(text, count);
}

// A JSON Web Key (RFC 7517) as a table.
static int key_from_table(lua_State *L) {
  wl_text parts[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
  size_t count = 0;
  const char *kty = field(L, "kty", &count);
  if (!kty) return wl_fail(L, "the key has no \"kty\"");
  if (strcmp(kty, "RSA") == 0) {
    parts[0] = decoded(L, "n");
    parts[1] = decoded(L, "e");
    if (!parts[0].base || !parts[1].base) return wl_fail(L, "an RSA key has \"n\" and \"e\" in base64url");
    return push_key(L, WL_KEY_RSA, parts);
  }
  int is_ec = strcmp(kty, "EC") == 0;
  if (!is_ec && strcmp(kty, "OKP") != 0) return wl_fail(L, "keys of the type \"%s\" are not supported", kty);
  const char *curve = field(L, "crv", &count);
  if (!curve) return wl_fail(L, "the key has no \"crv\"");
  parts[0] = wl_bytes(curve, count);
  parts[1] = decoded(L, "x");
  if (!parts[1].base) return wl_fail(L, "the key has no \"x\" in base64url");
  if (is_ec) {
    parts[2] = decoded(L, "y");
    if (!parts[2].base) return wl_fail(L, "the key has no \"y\" in base64url");
  }
  return push_key(L, is_ec ? WL_KEY_EC : WL_KEY_OKP, parts);
}

static int crypto_public_key(lua_State *L) {
  lua_settop(L, 1);
  if (lua_istable(L, 1)) return key_from_table(L);
  wl_text text = wl_text_arg(L, 1);
  if (text.count > KEY_BYTES) return wl_fail(L, "a key that is too long");
  return push_key(L, WL_KEY_PEM_OR_DER, &text);
}

static int key_kind(lua_State *L) {
  wl_text kind = wl_host_of(L)->calls.library.key_kind(check_key(L, 1)->key);
  lua_pushlstring(L, (const char *)kind.base, kind.count);
  return 1;
}

static int key_bits(lua_State *L) {
  lua_pushinteger(L, wl_host_of(L)->calls.library.key_bits(check_key(L, 1)->key));
  return 1;
}

// Signatures

static int is_equal(wl_text a, wl_text b) {
  if (a.count != b.count) return 0;
  uint8_t difference = 0;
  for (size_t i = 0; i < a.count; i++) difference |= a.base[i] ^ b.base[i];
  // Kept from being turned into an early return.
  volatile uint8_t result = difference;
  return result == 0;
}

static int crypto_equal(lua_State *L) {
  lua_pushboolean(L, is_equal(wl_text_arg(L, 1), wl_text_arg(L, 2)));
  return 1;
}

static int verify_hmac(lua_State *L, int algorithm, wl_text data, wl_text signature) {
  wl_text key = wl_text_arg(L, 2);
  luaL_argcheck(L, key.count > 0, 2, "an empty key");
  wl_host *h = wl_host_of(L);
  const wl_library *library = &h->calls.library;
  uint8_t out[WL_DIGEST_BYTES];
  void *d = library->digest_begin(algorithm, &key);
  if (!d) luaL_error(L, "no memory for a digest");
  int is_fine = library->digest_update(d, data);
  size_t count = library->digest_end(d, is_fine ? out : NULL);
  wl_check_time(L, h);
  if (count == 0) luaL_error(L, "the digest has failed");
  lua_pushboolean(L, is_equal(wl_bytes(out, count), signature));
  return 1;
}

// verify(algorithm, key, data, signature)
static int crypto_verify(lua_State *L) {
  static const char *const signatures[WL_SIGNATURES + 1] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                                            "PS512", "ES256", "ES384", "EdDSA", NULL};
  static const char *const hmacs[] = {"HS256", "HS384", "HS512"};
  const char *name = luaL_checkstring(L, 1);
  wl_text data = wl_text_arg(L, 3);
  wl_text signature = wl_text_arg(L, 4);
  for (int i = 0; i < 3; i++) {
    if (strcmp(name, hmacs[i]) == 0) return verify_hmac(L, WL_SHA256 + i, data, signature);
  }
  for (int i = 0; i < WL_SIGNATURES; i++) {
    if (strcmp(name, signatures[i]) != 0) continue;
    wl_host *h = wl_host_of(L);
    int result = h->calls.library.key_verify(check_key(L, 2)->key, i, data, signature);
    wl_check_time(L, h);
    if (result < 0) return wl_fail(L, "the key is not one for %s", name);
    lua_pushboolean(L, result);
    return 1;
  }
  return wl_fail(L, "the algorithm \"%s\" is not supported", name);
}

static int crypto_random_bytes(lua_State *L) {
  lua_Integer count = luaL_checkinteger(L, 1);
  luaL_argcheck(L, count >= 0 && count <= 65536, 1, "0 to 65536 bytes");
  int format = lua_isnoneornil(L, 2) ? WL_AS_RAW : wl_format_arg(L, 2);
  wl_host *h = wl_host_of(L);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, (size_t)count);
  if (!h->calls.library.random_bytes(h->context, (uint8_t *)out, (size_t)count)) {
    luaL_error(L, "the system gives no random bytes");
  }
  luaL_pushresultsize(&b, (size_t)count);
  if (format == WL_AS_RAW) return 1;
  size_t n;
  const char *bytes = lua_tolstring(L, -1, &n);
  wl_push_formatted(L, wl_bytes(bytes, n), format);
  return 1;
}

// pbkdf2(algorithm, password, salt, iterations, bytes [, format]). What it takes cannot be interrupted, and is bounded by the
// iterations and the length.
static int crypto_pbkdf2(lua_State *L) {
  static const char *const algorithms[] = {"sha1", "sha256", "sha384", "sha512", NULL};
  int algorithm = luaL_checkoption(L, 1, NULL, algorithms);
  wl_text password = wl_text_arg(L, 2);
  wl_text salt = wl_text_arg(L, 3);
  lua_Integer iterations = luaL_checkinteger(L, 4);
  lua_Integer count = luaL_checkinteger(L, 5);
  luaL_argcheck(L, password.count <= PASSWORD_BYTES, 2, "a password of more than 1024 bytes");
  luaL_argcheck(L, salt.count <= PASSWORD_BYTES, 3, "a salt of more than 1024 bytes");
  luaL_argcheck(L, iterations >= 1 && iterations <= ITERATIONS, 4, "1 to 50000 iterations");
  luaL_argcheck(L, count >= 1 && count <= WL_DIGEST_BYTES, 5, "1 to 64 bytes");
  int format = lua_isnoneornil(L, 6) ? WL_AS_RAW : wl_format_arg(L, 6);
  wl_host *h = wl_host_of(L);
  uint8_t out[WL_DIGEST_BYTES];
  int is_fine =
      h->calls.library.pbkdf2(algorithm, password, salt, (uint32_t)iterations, out, (size_t)count);
  wl_check_time(L, h);
  if (!is_fine) luaL_error(L, "the key could not be derived");
  wl_push_formatted(L, wl_bytes(out, (size_t)count), format);
  return 1;
}

void wl_install_crypto(lua_State *L) {
  static const luaL_Reg functions[] = {{"equal", crypto_equal},
                                       {"public_key", crypto_public_key},
                                       {"verify", crypto_verify},
                                       {"random_bytes", crypto_random_bytes},
                                       {"pbkdf2", crypto_pbkdf2},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {{"kind", key_kind}, {"bits", key_bits}, {NULL, NULL}};
  wl_new_class(L, &key_class, key_class_name, methods, key_gc);
  lua_pop(L, 1);
  wl_add_library(L, "crypto", functions);
}
