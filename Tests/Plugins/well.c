// Keeps every promise.
#include "plugin-under-test.h"
