#ifndef WEFT_CLINUX_H
#define WEFT_CLINUX_H
#include <stdint.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>
#include <signal.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>

// Calls that only exist under _GNU_SOURCE, which Swift does not see.

// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC.
int cl_accept(int listener, struct sockaddr *address, socklen_t *length);
// Names the calling thread: at most 15 bytes. Returns an error number.
int cl_name_thread(const char *name);
// Keeps the calling thread on one CPU. Returns an error number.
int cl_pin_thread(int cpu);

// Relaxed atomics on plain memory: one writer (a worker), any reader (a scrape). As cheap as ordinary loads and
// stores, and no data race.
static inline uint64_t cl_load(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void cl_store(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline void cl_add(uint64_t *p, uint64_t v) {
  __atomic_store_n(p, __atomic_load_n(p, __ATOMIC_RELAXED) + v, __ATOMIC_RELAXED);
}

// RFC 9110 5.6.2 token characters. A C constant table: no lazy global, no bounds check.
static const uint8_t cl_token_table[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0,
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
static inline int cl_is_token(uint8_t c) { return cl_token_table[c]; }

// Two hexadecimal digits for each byte, for identifiers.
static const char cl_hex_table[513] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738"
    "393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071"
    "72737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aa"
    "abacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3"
    "e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
// Writes the random UUID (RFC 9562, version 4) of 128 random bits: 36 characters, no terminator.
static inline void cl_write_uuid(uint8_t *to, uint64_t high, uint64_t low) {
  high = (high & 0xffffffffffff0fffull) | 0x4000;
  low = (low & 0x3fffffffffffffffull) | 0x8000000000000000ull;
  uint8_t *p = to;
  for (int i = 0; i < 8; i++) {
    __builtin_memcpy(p, cl_hex_table + 2 * ((high >> (56 - 8 * i)) & 0xff), 2);
    p += 2;
    if (i == 3 || i == 5 || i == 7) *p++ = '-';
  }
  for (int i = 0; i < 8; i++) {
    __builtin_memcpy(p, cl_hex_table + 2 * ((low >> (56 - 8 * i)) & 0xff), 2);
    p += 2;
    if (i == 1) *p++ = '-';
  }
}

#endif
