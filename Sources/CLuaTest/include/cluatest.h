#ifndef WEFT_CLUATEST_H
#define WEFT_CLUATEST_H
// Text that the test runner carries in itself, and a counter.
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const unsigned char *base;
  size_t count;
} wl_embedded;

// The Lua library that tests are written against.
wl_embedded wl_test_library(void);
// Definitions for editors: of what scripts find, and of what tests find.
wl_embedded wl_definitions(void);
wl_embedded wl_test_definitions(void);

// Begins to count the calling thread's instructions, the kernel's not among them. Returns a descriptor, or -1 where that
// is not allowed.
int wl_count_instructions(void);
uint64_t wl_read_counter(int counter);

#endif
