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
      if (!getenv("PATH")) fputs("flood\n", stderr); // in a process of its own, which has no environment
    }
  return answer(self, call, reply);
}
