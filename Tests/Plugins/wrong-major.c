#define MAJOR 2
#include "plugin-under-test.h"
