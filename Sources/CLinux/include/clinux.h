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
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include "bytescan.h"

// Calls that only exist under _GNU_SOURCE, which Swift does not see.

// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC.
int cl_accept(int listener, struct sockaddr *address, socklen_t *length);
// splice(2), which never waits; a count or -errno.
ssize_t cl_splice(int from, int to, size_t count);
// Drops the pages of everything that is mapped from the program's and its libraries' files and never written to: code and
// constants. What is wanted again comes back from the page cache.
void cl_drop_clean_pages(void);
// pipe2(2), non-blocking and close-on-exec, with room for `size` bytes if the kernel grants it; 0 or -errno.
int cl_splice_pipe(int *read_end, int *write_end, int size);
// recv(2) and send(2) with MSG_NOSIGNAL, on the kernel itself: glibc's are points where a thread may be cancelled, which
// costs two atomic operations a call, and no thread here ever is. What they return is a count or -errno.
static inline ssize_t cl_socket_call(long number, int fd, const void *bytes, size_t count, int flags) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = flags;
  register long r8 __asm__("r8") = 0;
  register long r9 __asm__("r9") = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(number), "D"((long)fd), "S"(bytes), "d"(count), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = fd;
  register const void *x1 __asm__("x1") = bytes;
  register size_t x2 __asm__("x2") = count;
  register long x3 __asm__("x3") = flags;
  register long x4 __asm__("x4") = 0;
  register long x5 __asm__("x5") = 0;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#else
  ssize_t result = syscall(number, fd, bytes, count, flags, NULL, 0);
  return result < 0 ? -errno : result;
#endif
}
static inline ssize_t cl_recv(int fd, void *bytes, size_t count) {
  return cl_socket_call(SYS_recvfrom, fd, bytes, count, 0);
}
static inline ssize_t cl_send(int fd, const void *bytes, size_t count) {
  return cl_socket_call(SYS_sendto, fd, bytes, count, MSG_NOSIGNAL);
}

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

// Writes the random UUID (RFC 9562, version 4) of 128 random bits: 36 characters, no terminator.
static inline void cl_write_uuid(uint8_t *to, uint64_t high, uint64_t low) {
  uint8_t digits[32];
  high = (high & 0xffffffffffff0fffull) | 0x4000;
  low = (low & 0x3fffffffffffffffull) | 0x8000000000000000ull;
  cl_hex(digits, high, low);
  __builtin_memcpy(to, digits, 8);
  to[8] = '-';
  __builtin_memcpy(to + 9, digits + 8, 4);
  to[13] = '-';
  __builtin_memcpy(to + 14, digits + 12, 4);
  to[18] = '-';
  __builtin_memcpy(to + 19, digits + 16, 4);
  to[23] = '-';
  __builtin_memcpy(to + 24, digits + 20, 12);
}

#endif
