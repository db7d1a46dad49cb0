// Writes to address 8 when it is configured.
#define CALL(self, call, reply) (crash(call), answer(self, call, reply))
#include <string.h>
#include "sallyport/plugin.h"
static void crash(const sallyport_call_v1 *call) {
  if (strcmp(call->method, "Configure") == 0) *(volatile int *)8 = 1;
}
#include "plugin-under-test.h"
