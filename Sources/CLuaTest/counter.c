// Counting the calling thread's instructions.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cluatest.h"
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int wl_count_instructions(void) {
  struct perf_event_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.type = PERF_TYPE_HARDWARE;
  attr.size = sizeof attr;
  attr.config = PERF_COUNT_HW_INSTRUCTIONS;
  attr.exclude_kernel = 1;
  attr.exclude_hv = 1;
  return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

uint64_t wl_read_counter(int counter) {
  uint64_t value = 0;
  return read(counter, &value, sizeof value) == (ssize_t)sizeof value ? value : 0;
}
