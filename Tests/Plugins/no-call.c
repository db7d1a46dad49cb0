#define CALL_FUNCTION (1 ? 0 : plugin_call)
#include "plugin-under-test.h"
