#define ENTRY for (;;) pause();
#include "plugin-under-test.h"
