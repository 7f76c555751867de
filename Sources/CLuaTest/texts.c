#include "cluatest.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char library[] = {
#embed "test.lua"
};

static const unsigned char definitions[] = {
#embed "../../docs/lua/weft.lua"
};

static const unsigned char test_definitions[] = {
#embed "../../docs/lua/weft-test.lua"
};

wl_embedded wl_test_library(void) {
  wl_embedded text = {library, sizeof library};
  return text;
}

wl_embedded wl_definitions(void) {
  wl_embedded text = {definitions, sizeof definitions};
  return text;
}

wl_embedded wl_test_definitions(void) {
  wl_embedded text = {test_definitions, sizeof test_definitions};
  return text;
}
