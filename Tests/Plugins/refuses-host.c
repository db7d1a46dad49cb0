#define ENTRY return &table == 0 ? &table : 0;
#include "plugin-under-test.h"
