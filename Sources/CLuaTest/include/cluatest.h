#ifndef WEFT_CLUATEST_H
#define WEFT_CLUATEST_H
// Text that the test runner carries in itself.
#include <stddef.h>

typedef struct {
  const unsigned char *base;
  size_t count;
} wl_embedded;

// The Lua library that tests are written against.
wl_embedded wl_test_library(void);

#endif
