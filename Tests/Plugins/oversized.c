// Answers Health with one byte more than a message may have, and sends such a message on its watch.
#define CALL(self, call, reply) (is(call, "Health") ? reply_with(self, reply, huge, sizeof huge) : answer(self, call, reply))
#define WATCH(self, call) self->host->stream_send(self->context, call->id, huge, sizeof huge, 0)
#include "sallyport/plugin.h"
static const uint8_t huge[SALLYPORT_MESSAGE_MAX + 1];
#include "plugin-under-test.h"
