#include "cluahost.h"
