// A policy source of few lines, for tests: each .c file beside this one changes one thing in it and breaks one promise of
// docs/plugin-abi.md. Its messages are written out byte by byte, so that it needs no library.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/plugin.h"

#ifndef NAME
#define NAME "under-test"
#endif

struct instance {
  const sallyport_host_v1 *host;
  void *context;
};

static int32_t reply_with(struct instance *self, sallyport_reply_v1 *reply, const void *bytes, size_t size) {
  reply->data = self->host->alloc(size ? size : 1);
  if (!reply->data) return SALLYPORT_RESOURCE_EXHAUSTED;
  memcpy(reply->data, bytes, size);
  reply->size = size;
  return SALLYPORT_OK;
}

static void say(struct instance *self, int32_t level, const char *text) {
  self->host->log(self->context, level, text, strlen(text));
}

// PolicyEvent{complete{generation: 1}}
static const uint8_t complete[] = {0x1a, 0x02, 0x08, 0x01};

#ifndef WATCH
#define WATCH(self, call) self->host->stream_send(self->context, call->id, complete, sizeof complete, 0)
#endif

static int is(const sallyport_call_v1 *call, const char *method) { return strcmp(call->method, method) == 0; }

// Answers as a plugin should.
static int32_t answer(struct instance *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  if (strcmp(call->service, SALLYPORT_SERVICE_PLUGIN) == 0) {
    // DescribeResponse{name, version: "1", kinds: [POLICY_SOURCE]}
    static const char description[] = "\x0a" "\x0a" "under-test" "\x12\x01" "1" "\x1a\x01\x01";
    if (is(call, "Describe")) return reply_with(self, reply, description, sizeof description - 1);
    if (is(call, "Validate") || is(call, "Configure") || is(call, "Shutdown")) {
      say(self, SALLYPORT_LOG_INFO, call->method);
      return reply_with(self, reply, "", 0);
    }
    // HealthResponse{ready: true}
    if (is(call, "Health")) return reply_with(self, reply, "\x08\x01", 2);
  } else if (strcmp(call->service, SALLYPORT_SERVICE_POLICY_SOURCE) == 0 && is(call, "Watch")) {
    WATCH(self, call);
    return SALLYPORT_LATER;
  }
  return SALLYPORT_UNIMPLEMENTED;
}

#ifndef CALL
#define CALL(self, call, reply) answer(self, call, reply)
#endif

static int32_t plugin_call(void *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  return CALL(((struct instance *)self), call, reply);
}

static void plugin_cancel(void *raw, uint64_t call) {
  struct instance *self = raw;
  say(self, SALLYPORT_LOG_DEBUG, "cancelled");
  self->host->stream_close(self->context, call, SALLYPORT_CANCELLED, "cancelled", 9);
}

static void plugin_destroy(void *raw) {
  struct instance *self = raw;
  say(self, SALLYPORT_LOG_INFO, "destroyed");
  free(self);
}

static void *plugin_create(const sallyport_plugin_v1 *plugin, const sallyport_host_v1 *host, void *context) {
  (void)plugin;
#ifdef CREATE
  CREATE
#endif
  struct instance *self = malloc(sizeof *self);
  if (self) *self = (struct instance){host, context};
  return self;
}

#ifndef MAGIC
#define MAGIC SALLYPORT_PLUGIN_MAGIC
#endif
#ifndef MAJOR
#define MAJOR SALLYPORT_ABI_MAJOR
#endif
#ifndef SIZE
#define SIZE sizeof(sallyport_plugin_v1)
#endif
#ifndef CALL_FUNCTION
#define CALL_FUNCTION plugin_call
#endif
#ifndef ENTRY
#define ENTRY return &table;
#endif
#ifndef ENTRY_NAME
#define ENTRY_NAME sallyport_plugin_entry
#endif

static const sallyport_plugin_v1 table = {
  .magic = MAGIC, .abi_major = MAJOR, .abi_minor = 0, .struct_size = SIZE,
  .create = plugin_create, .call = CALL_FUNCTION, .cancel = plugin_cancel, .destroy = plugin_destroy,
};

const sallyport_plugin_v1 *ENTRY_NAME(const sallyport_host_v1 *host) {
  (void)host;
  ENTRY
}
