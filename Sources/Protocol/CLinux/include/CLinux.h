// What Swift cannot import from the C library: variadic calls, macros and what needs _GNU_SOURCE.
// Static inline functions only; each does what the call of its name does.
//
// _GNU_SOURCE itself must not be defined here: it changes structures (fd_set, for one), and Swift refuses
// a structure that differs between this module and its own view of the C library. So the calls
// that hide behind it are declared here as their manual pages have them.
#pragma once

#include "clinux_files.h"
#include "clinux_network.h"
#include "clinux_process.h"
#include "clinux_spawn.h"
#include "clinux_resolver.h"
