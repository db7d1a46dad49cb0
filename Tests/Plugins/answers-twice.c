// Sends two messages for one unary call, and answers a watch at once.
#define CALL(self, call, reply) twice(self, call, reply)
#include "sallyport/plugin.h"
struct instance;
static int32_t twice(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply);
#include "plugin-under-test.h"
static int32_t twice(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  if (is(call, "Watch")) return reply_with(self, reply, complete, sizeof complete);
  if (!is(call, "Health")) return answer(self, call, reply);
  self->host->stream_send(self->context, call->id, (const uint8_t *)"\x08\x01", 2, 0);
  self->host->stream_send(self->context, call->id, (const uint8_t *)"\x08\x01", 2, 0);
  self->host->stream_close(self->context, call->id, SALLYPORT_OK, "", 0);
  return SALLYPORT_LATER;
}
