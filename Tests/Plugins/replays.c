// Its snapshot is what a file holds: events, each after its length (4 bytes, little endian). The path is what stands
// between "path":" and the next quote in the configuration; without one, that is a problem.
#define CALL(self, call, reply) replay(self, call, reply)
#include "sallyport/plugin.h"
struct instance;
static int32_t replay(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply);
#include "plugin-under-test.h"

static char path[4096];

static int find_path(const sallyport_call_v1 *call, char *found) {
  char text[8192] = {0};
  memcpy(text, call->request, call->request_size < sizeof text ? call->request_size : sizeof text - 1);
  for (size_t i = 0; i + 1 < sizeof text; i++)
    if (!text[i]) text[i] = ' ';
  const char *start = strstr(text, "\"path\":\"");
  return start && sscanf(start + 8, "%4095[^\"]", found) == 1;
}

static int32_t replay(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  char found[4096];
  if (is(call, "Validate") || is(call, "Configure")) {
    // problems[0]{field: "path", message: "is required"}
    static const char problem[] = "\x0a\x13\x0a\x04path\x12\x0bis required";
    if (!find_path(call, found)) return reply_with(self, reply, problem, sizeof problem - 1);
    if (is(call, "Configure")) strcpy(path, found);
    say(self, SALLYPORT_LOG_INFO, call->method);
    return reply_with(self, reply, "", 0);
  }
  if (!is(call, "Watch")) return answer(self, call, reply);
  FILE *file = fopen(path, "re");
  if (!file) return SALLYPORT_NOT_FOUND;
  uint32_t size;
  uint8_t message[4096];
  while (fread(&size, 4, 1, file) == 1 && size <= sizeof message && fread(message, 1, size, file) == size)
    self->host->stream_send(self->context, call->id, message, size, 0);
  fclose(file);
  return SALLYPORT_LATER;
}
