// What Swift cannot import from the C library: variadic calls, macros and structures that need
// _GNU_SOURCE. Static inline functions only; each does what the call of its name does.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "clinux_files.h"
#include "clinux_network.h"
#include "clinux_process.h"
