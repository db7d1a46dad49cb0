// Built for an ABI that never was: its table ends before `destroy`.
#define SIZE (sizeof(sallyport_plugin_v1) - 8)
#include "plugin-under-test.h"
