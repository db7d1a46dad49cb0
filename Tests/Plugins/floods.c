// Writes 20000 lines when it is configured: half to its log, half to standard error.
#define CALL(self, call, reply) flood(self, call, reply)
#include "sallyport/plugin.h"
struct instance;
static int32_t flood(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply);
#include "plugin-under-test.h"
static int32_t flood(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  if (is(call, "Configure"))
    for (int i = 0; i < 10000; i++) {
      say(self, SALLYPORT_LOG_NOTICE, "flood");
      fputs("flood\n", stderr);
    }
  return answer(self, call, reply);
}
