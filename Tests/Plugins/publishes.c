// A provider of public ports in the mode CustomCertificate, with a certificate of one byte for the service "web" whose end says
// how many updates there were. Its watch is sent to at every update.
#define CALL(self, call, reply) publish(self, call, reply)
#include "sallyport/plugin.h"
struct instance;
static int32_t publish(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply);
#include "plugin-under-test.h"

static uint64_t watch;
static uint8_t updates;

// CertificatesEvent{changed: [{service: {name: "web"}, chain: ["x"], private_key: "k", not_after: updates}], complete: true}
static void send_certificates(struct instance *self) {
  uint8_t event[] = {0x0a, 0x0f, 0x0a, 0x05, 0x1a, 0x03, 'w', 'e', 'b', 0x12, 0x01, 'x', 0x1a, 0x01, 'k', 0x20, updates, 0x10, 0x01};
  event[1] = sizeof event - 4;
  self->host->stream_send(self->context, watch, event, sizeof event, 0);
}

static int32_t publish(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  // DescribeResponse{name: "publishes", kinds: [PUBLIC_TLS], public_tls_modes: [MODE_CUSTOM_CERTIFICATE]}
  if (is(call, "Describe")) return reply_with(self, reply, "\x0a\x09publishes\x1a\x01\x04\x32\x01\x01", 17);
  if (is(call, "UpdateServices")) {
    updates++;
    if (watch) send_certificates(self);
    return reply_with(self, reply, "", 0);
  }
  if (is(call, "WatchCertificates")) {
    watch = call->id;
    send_certificates(self);
    return SALLYPORT_LATER;
  }
  return answer(self, call, reply);
}
