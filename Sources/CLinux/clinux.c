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
