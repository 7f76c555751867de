// weft.hash: digests, HMACs and checksums of strings.
#include "library.h"
#include <pthread.h>

// Bytes between two looks at the call's time.
#define PIECE (256 * 1024)

static const char *const digest_names[WL_DIGESTS + 1] = {"sha1", "sha256", "sha384", "sha512", NULL};

// Writes the digest of `data` to `out`. Returns its length. Raises when it fails, and with the call's time.
static size_t digest(lua_State *L, int algorithm, const wl_text *key, wl_text data, uint8_t *out) {
  wl_host *h = wl_host_of(L);
  const wl_library *library = &h->calls.library;
  void *d = library->digest_begin(algorithm, key);
  if (!d) luaL_error(L, "no memory for a digest");
  int is_fine = 1;
  for (size_t at = 0; at < data.count && is_fine && !h->expired; at += PIECE) {
    size_t n = data.count - at < PIECE ? data.count - at : PIECE;
    is_fine = library->digest_update(d, wl_bytes(data.base + at, n));
  }
  // Ended first: what raises comes afterwards.
  size_t count = library->digest_end(d, is_fine && !h->expired ? out : NULL);
  wl_check_time(L, h);
  if (count == 0) luaL_error(L, "the digest has failed");
  return count;
}

// Upvalue 1: the algorithm. (data [, format])
static int hash(lua_State *L) {
  uint8_t out[WL_DIGEST_BYTES];
  wl_text data = wl_text_arg(L, 1);
  int format = wl_format_arg(L, 2);
  size_t count = digest(L, (int)lua_tointeger(L, lua_upvalueindex(1)), NULL, data, out);
  wl_push_formatted(L, wl_bytes(out, count), format);
  return 1;
}

// Upvalue 1: the algorithm. (key, data [, format])
static int hmac(lua_State *L) {
  uint8_t out[WL_DIGEST_BYTES];
  wl_text key = wl_text_arg(L, 1);
  wl_text data = wl_text_arg(L, 2);
  int format = wl_format_arg(L, 3);
  size_t count = digest(L, (int)lua_tointeger(L, lua_upvalueindex(1)), &key, data, out);
  wl_push_formatted(L, wl_bytes(out, count), format);
  return 1;
}

// CRC-32 as zlib, Ethernet and PNG have it (reflected, polynomial 0x04c11db7).
static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void fill_crc_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; bit++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    crc_table[i] = c;
  }
}

static int crc32(lua_State *L) {
  wl_host *h = wl_host_of(L);
  wl_text data = wl_text_arg(L, 1);
  pthread_once(&crc_once, fill_crc_table);
  uint32_t c = UINT32_MAX;
  for (size_t i = 0; i < data.count; i++) {
    wl_may_go_on(L, h);
    c = crc_table[(c ^ data.base[i]) & 255] ^ c >> 8;
  }
  lua_pushinteger(L, (lua_Integer)(c ^ UINT32_MAX));
  return 1;
}

void wl_install_digests(lua_State *L) {
  static const luaL_Reg functions[] = {{"crc32", crc32}, {NULL, NULL}};
  luaL_newlib(L, functions);
  for (int algorithm = 0; algorithm < WL_DIGESTS; algorithm++) {
    lua_pushinteger(L, algorithm);
    lua_pushcclosure(L, hash, 1);
    lua_setfield(L, -2, digest_names[algorithm]);
    lua_pushfstring(L, "hmac_%s", digest_names[algorithm]);
    lua_pushinteger(L, algorithm);
    lua_pushcclosure(L, hmac, 1);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "hash");
}
