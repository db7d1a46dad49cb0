// Stays in Health until nobody waits for the answer, and says so.
#define CALL(self, call, reply) slow(self, call, reply)
#include <unistd.h>
#include "sallyport/plugin.h"
struct instance;
static int32_t slow(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply);
#include "plugin-under-test.h"
static int32_t slow(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  if (!is(call, "Health")) return answer(self, call, reply);
  while (!self->host->cancelled(self->context, call->id)) usleep(1000);
  say(self, SALLYPORT_LOG_INFO, call->deadline ? "gave up" : "no deadline");
  return SALLYPORT_CANCELLED;
}
