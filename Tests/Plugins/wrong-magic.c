#define MAGIC 0xdeadbeef
#include "plugin-under-test.h"
