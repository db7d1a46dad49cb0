// Sends without end on a thread of its own, and waits where there is no room.
#define WATCH(self, call) start(self, call->id)
#include <pthread.h>
#include <stdint.h>
struct instance;
static void start(struct instance *self, uint64_t call);
#include "plugin-under-test.h"

struct stream {
  struct instance *self;
  uint64_t call;
};

static void *send_all(void *raw) {
  struct stream *stream = raw;
  struct instance self = *stream->self;
  long sent = 0;
  while (self.host->stream_send(self.context, stream->call, complete, sizeof complete, 0) == SALLYPORT_OK) sent++;
  char text[64];
  snprintf(text, sizeof text, "sent %ld", sent);
  say(&self, SALLYPORT_LOG_INFO, text);
  free(stream);
  return 0;
}

static void start(struct instance *self, uint64_t call) {
  struct stream *stream = malloc(sizeof *stream);
  pthread_t thread;
  *stream = (struct stream){self, call};
  pthread_create(&thread, 0, send_all, stream);
  pthread_detach(thread);
}
