// Answers what is no message, also on its watch.
#define GARBAGE "\xff\xff\xff\xff"
#define CALL(self, call, reply) (is(call, "Health") ? reply_with(self, reply, GARBAGE, 4) : answer(self, call, reply))
#define WATCH(self, call) self->host->stream_send(self->context, call->id, (const uint8_t *)GARBAGE, 4, 0)
#include "plugin-under-test.h"
