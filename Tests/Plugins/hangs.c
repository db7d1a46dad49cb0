// Never comes back from Health.
#define CALL(self, call, reply) (hang(call), answer(self, call, reply))
#include <string.h>
#include <unistd.h>
#include "sallyport/plugin.h"
static void hang(const sallyport_call_v1 *call) {
  while (strcmp(call->method, "Health") == 0) pause();
}
#include "plugin-under-test.h"
