#ifndef WEFT_CLUAHOST_H
#define WEFT_CLUAHOST_H
#include <stddef.h>
#include <stdint.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#endif
