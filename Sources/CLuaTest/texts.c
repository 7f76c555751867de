#include "cluatest.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char library[] = {
#embed "test.lua"
};

wl_embedded wl_test_library(void) {
  wl_embedded text = {library, sizeof library};
  return text;
}
