#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "clinux.h"
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
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

static int drop_clean_pages(struct dl_phdr_info *object, size_t size, void *page_size) {
  (void)size;
  // The program itself has no name here; what the kernel maps into every process has one without a path.
  if (object->dlpi_name[0] != 0 && strchr(object->dlpi_name, '/') == NULL) return 0;
  const uintptr_t page = *(const uintptr_t *)page_size;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    // What could be written to at any time would lose it, even if it is read-only by now, as relocated tables are.
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) continue;
    const uintptr_t from = (object->dlpi_addr + segment->p_vaddr + page - 1) & ~(page - 1);
    const uintptr_t to = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) & ~(page - 1);
    if (to > from) (void)madvise((void *)from, to - from, MADV_DONTNEED);
  }
  return 0;
}

void cl_drop_clean_pages(void) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  (void)dl_iterate_phdr(drop_clean_pages, &page);
}
