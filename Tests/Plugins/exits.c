// Ends its process when it is configured.
#define CALL(self, call, reply) (leave(call), answer(self, call, reply))
#include <stdlib.h>
#include <string.h>
#include "sallyport/plugin.h"
static void leave(const sallyport_call_v1 *call) {
  if (strcmp(call->method, "Configure") == 0) exit(3);
}
#include "plugin-under-test.h"
