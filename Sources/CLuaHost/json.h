// What reading and writing JSON share.
#ifndef WEFT_JSON_H
#define WEFT_JSON_H
#include "library.h"

// Nesting of arrays and objects.
#define WL_JSON_DEPTH 128

// Registry keys: the value that stands for null, and the metatable that marks a table as an array.
extern char wl_json_null_key, wl_json_array_key;

int wl_json_decode(lua_State *L);
int wl_json_encode(lua_State *L);

#endif
