#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "clinux.h"
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

int cl_accept(int listener, struct sockaddr *address, socklen_t *length) {
  return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int cl_name_thread(const char *name) { return pthread_setname_np(pthread_self(), name); }

int cl_pin_thread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu < 0 || cpu >= CPU_SETSIZE) return EINVAL;
  CPU_SET(cpu, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

ssize_t cl_splice(int from, int to, size_t count) {
  ssize_t n = splice(from, NULL, to, NULL, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  return n < 0 ? -errno : n;
}

int cl_splice_pipe(int *read_end, int *write_end, int size) {
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return -errno;
  // Less room only means more calls.
  (void)fcntl(ends[1], F_SETPIPE_SZ, size);
  *read_end = ends[0];
  *write_end = ends[1];
  return 0;
}
