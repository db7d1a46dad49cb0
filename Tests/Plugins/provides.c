// A TLS provider and load-balancer adapter: it issues a chain of one byte, and its frontends say how many services it was
// told of. Its watch of frontends is sent to at every update.
#define CALL(self, call, reply) provide(self, call, reply)
#include "sallyport/plugin.h"
struct instance;
static int32_t provide(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply);
#include "plugin-under-test.h"

static uint64_t watch;
static uint8_t updates;

// FrontendsEvent{changed: [{frontends: [{port: updates}]}], complete: true}
static void send_frontends(struct instance *self) {
  uint8_t event[] = {0x0a, 0x04, 0x12, 0x02, 0x18, updates, 0x10, 0x01};
  self->host->stream_send(self->context, watch, event, sizeof event, 0);
}

static int32_t provide(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  // DescribeResponse{name: "provides", kinds: [TLS_PROVIDER, LOAD_BALANCER_ADAPTER]}
  if (is(call, "Describe")) return reply_with(self, reply, "\x0a\x08provides\x1a\x02\x02\x03", 14);
  // IssueProcessingUnitResponse{chain: ["x"]}
  if (is(call, "IssueProcessingUnit")) return reply_with(self, reply, "\x0a\x01x", 3);
  if (is(call, "WatchTrust")) {
    // TrustBundle{generation: 7}
    self->host->stream_send(self->context, call->id, (const uint8_t *)"\x10\x07", 2, 0);
    return SALLYPORT_LATER;
  }
  if (is(call, "UpdateServices")) {
    updates++;
    if (watch) send_frontends(self);
    return reply_with(self, reply, "", 0);
  }
  if (is(call, "WatchFrontends")) {
    watch = call->id;
    send_frontends(self);
    return SALLYPORT_LATER;
  }
  return answer(self, call, reply);
}
