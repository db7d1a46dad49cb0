#define ENTRY_NAME plugin_entry
#include "plugin-under-test.h"
