// A policy source in C: one external network, from its settings.
//
// The host calls every function here from one thread (docs/plugin-abi.md, section 4), so nothing is locked.
#include <stdio.h>
#include <stdlib.h>

#include "carry.h"
#include "sallyport/plugin/v1/plugin.pb-c.h"
#include "settings.h"

enum { MOST_WATCHES = 8 };

struct plugin {
  const sallyport_host_v1 *host;
  void *context;
  struct settings settings;
  int is_configured;
  uint64_t generation;
  uint64_t watches[MOST_WATCHES]; // calls that are open; 0 for none
};

// ---------------------------------------------------------------- the stream

static void fill_key(Sallyport__Policy__V1__ObjectKey *key, const struct settings *settings) {
  sallyport__policy__v1__object_key__init(key);
  key->kind = SALLYPORT__POLICY__V1__KIND__KIND_EXTERNAL_NETWORK;
  key->namespace_ = settings->namespace_;
  key->name = settings->name;
}

static void send_network(struct plugin *self, uint64_t call) {
  Sallyport__Policy__V1__ObjectKey key;
  Sallyport__Policy__V1__ExternalNetwork network = SALLYPORT__POLICY__V1__EXTERNAL_NETWORK__INIT;
  Sallyport__Policy__V1__Object object = SALLYPORT__POLICY__V1__OBJECT__INIT;
  Sallyport__Plugin__V1__PolicyEvent event = SALLYPORT__PLUGIN__V1__POLICY_EVENT__INIT;

  fill_key(&key, &self->settings);
  network.entries = self->settings.entries;
  network.n_entries = self->settings.entry_count;
  network.tags = self->settings.tags;
  network.n_tags = self->settings.tag_count;
  network.propagate = self->settings.propagate;
  object.key = &key;
  object.origin = "config";
  object.spec_case = SALLYPORT__POLICY__V1__OBJECT__SPEC_EXTERNAL_NETWORK;
  object.external_network = &network;
  event.event_case = SALLYPORT__PLUGIN__V1__POLICY_EVENT__EVENT_UPSERT;
  event.upsert = &object;
  send_message(self->host, self->context, call, &event.base);
}

static void send_removal(struct plugin *self, uint64_t call, const struct settings *old) {
  Sallyport__Policy__V1__ObjectKey key;
  Sallyport__Plugin__V1__PolicyEvent event = SALLYPORT__PLUGIN__V1__POLICY_EVENT__INIT;

  fill_key(&key, old);
  event.event_case = SALLYPORT__PLUGIN__V1__POLICY_EVENT__EVENT_REMOVE;
  event.remove = &key;
  send_message(self->host, self->context, call, &event.base);
}

// Every group of changes ends with this mark.
static void send_complete(struct plugin *self, uint64_t call) {
  Sallyport__Plugin__V1__Complete complete = SALLYPORT__PLUGIN__V1__COMPLETE__INIT;
  Sallyport__Plugin__V1__PolicyEvent event = SALLYPORT__PLUGIN__V1__POLICY_EVENT__INIT;

  complete.generation = self->generation;
  event.event_case = SALLYPORT__PLUGIN__V1__POLICY_EVENT__EVENT_COMPLETE;
  event.complete = &complete;
  send_message(self->host, self->context, call, &event.base);
}

static int32_t watch(struct plugin *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  for (size_t i = 0; i < MOST_WATCHES; i++)
    if (!self->watches[i]) {
      self->watches[i] = call->id;
      if (self->is_configured) {
        send_network(self, call->id);
        send_complete(self, call->id);
      }
      return SALLYPORT_LATER; // and stays open
    }
  return reply_error(self->host, reply, SALLYPORT_RESOURCE_EXHAUSTED, "8 watches are open already");
}

static void plugin_cancel(void *raw, uint64_t call) {
  struct plugin *self = raw;
  for (size_t i = 0; i < MOST_WATCHES; i++)
    if (self->watches[i] == call) self->watches[i] = 0;
  self->host->stream_close(self->context, call, SALLYPORT_CANCELLED, "", 0);
}

// ---------------------------------------------------------------- settings

struct problems {
  size_t count;
  Sallyport__Plugin__V1__ConfigProblem items[32];
  Sallyport__Plugin__V1__ConfigProblem *pointers[32];
};

static void add_problem(void *raw, const char *field, const char *message) {
  struct problems *problems = raw;
  if (problems->count == 32) return;
  Sallyport__Plugin__V1__ConfigProblem *problem = &problems->items[problems->count];
  sallyport__plugin__v1__config_problem__init(problem);
  problem->field = strdup(field);
  problem->message = (char *)message; // a literal of settings.c
  problems->pointers[problems->count++] = problem;
}

static void free_problems(struct problems *problems) {
  for (size_t i = 0; i < problems->count; i++) free(problems->items[i].field);
}

static int32_t validate(struct plugin *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  struct problems problems = {0};
  struct settings settings;
  Sallyport__Plugin__V1__ValidateResponse response = SALLYPORT__PLUGIN__V1__VALIDATE_RESPONSE__INIT;
  ProtobufCMessage *message = read_request(call, &sallyport__plugin__v1__validate_request__descriptor);
  if (!message) return reply_error(self->host, reply, SALLYPORT_INVALID_ARGUMENT, "the request is no ValidateRequest");

  if (settings_read(&settings, ((Sallyport__Plugin__V1__ValidateRequest *)message)->config_json, add_problem, &problems))
    settings_free(&settings);
  response.problems = problems.pointers;
  response.n_problems = problems.count;
  int32_t code = reply_message(self->host, reply, &response.base);
  free_problems(&problems);
  protobuf_c_message_free_unpacked(message, NULL);
  return code;
}

// New settings come into force here, and reach the watches that are open.
static void apply(struct plugin *self, struct settings *settings) {
  struct settings old = self->settings;
  int had_old = self->is_configured;
  int is_moved = had_old && (strcmp(old.name, settings->name) || strcmp(old.namespace_, settings->namespace_));
  char line[128];

  self->settings = *settings;
  self->is_configured = 1;
  self->generation++;
  for (size_t i = 0; i < MOST_WATCHES; i++)
    if (self->watches[i]) {
      if (is_moved) send_removal(self, self->watches[i], &old);
      send_network(self, self->watches[i]);
      send_complete(self, self->watches[i]);
    }
  if (had_old) settings_free(&old);
  int size = snprintf(line, sizeof line, "%zu entries, generation %llu", settings->entry_count, (unsigned long long)self->generation);
  self->host->log(self->context, SALLYPORT_LOG_INFO, line, (size_t)size);
}

static int32_t configure(struct plugin *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  struct problems problems = {0};
  struct settings settings;
  Sallyport__Plugin__V1__ConfigureResponse response = SALLYPORT__PLUGIN__V1__CONFIGURE_RESPONSE__INIT;
  ProtobufCMessage *message = read_request(call, &sallyport__plugin__v1__configure_request__descriptor);
  if (!message) return reply_error(self->host, reply, SALLYPORT_INVALID_ARGUMENT, "the request is no ConfigureRequest");

  if (settings_read(&settings, ((Sallyport__Plugin__V1__ConfigureRequest *)message)->config_json, add_problem, &problems))
    apply(self, &settings);
  response.problems = problems.pointers;
  response.n_problems = problems.count;
  int32_t code = reply_message(self->host, reply, &response.base);
  free_problems(&problems);
  protobuf_c_message_free_unpacked(message, NULL);
  return code;
}

// ---------------------------------------------------------------- what else is asked

static int32_t describe(struct plugin *self, sallyport_reply_v1 *reply) {
  Sallyport__Plugin__V1__PluginKind kinds[] = {SALLYPORT__PLUGIN__V1__PLUGIN_KIND__PLUGIN_KIND_POLICY_SOURCE};
  Sallyport__Plugin__V1__DescribeResponse response = SALLYPORT__PLUGIN__V1__DESCRIBE_RESPONSE__INIT;
  response.name = "networks-c";
  response.version = "1.0";
  response.summary = "one external network, from its settings";
  response.kinds = kinds;
  response.n_kinds = 1;
  return reply_message(self->host, reply, &response.base);
}

static int32_t health(struct plugin *self, sallyport_reply_v1 *reply) {
  Sallyport__Plugin__V1__HealthResponse response = SALLYPORT__PLUGIN__V1__HEALTH_RESPONSE__INIT;
  response.ready = self->is_configured;
  response.message = self->is_configured ? "" : "it is not configured yet";
  return reply_message(self->host, reply, &response.base);
}

static int32_t shut_down(struct plugin *self, sallyport_reply_v1 *reply) {
  Sallyport__Plugin__V1__ShutdownResponse response = SALLYPORT__PLUGIN__V1__SHUTDOWN_RESPONSE__INIT;
  return reply_message(self->host, reply, &response.base);
}

static int32_t plugin_call(void *raw, const sallyport_call_v1 *call, sallyport_reply_v1 *reply) {
  struct plugin *self = raw;
  if (!strcmp(call->service, SALLYPORT_SERVICE_PLUGIN)) {
    if (!strcmp(call->method, "Describe")) return describe(self, reply);
    if (!strcmp(call->method, "Validate")) return validate(self, call, reply);
    if (!strcmp(call->method, "Configure")) return configure(self, call, reply);
    if (!strcmp(call->method, "Health")) return health(self, reply);
    if (!strcmp(call->method, "Shutdown")) return shut_down(self, reply);
  }
  if (!strcmp(call->service, SALLYPORT_SERVICE_POLICY_SOURCE) && !strcmp(call->method, "Watch")) return watch(self, call, reply);
  return reply_error(self->host, reply, SALLYPORT_UNIMPLEMENTED, "no such service or method");
}

// ---------------------------------------------------------------- life

static void *plugin_create(const sallyport_plugin_v1 *plugin, const sallyport_host_v1 *host, void *context) {
  (void)plugin;
  struct plugin *self = calloc(1, sizeof *self);
  if (!self) return NULL;
  self->host = host;
  self->context = context;
  return self;
}

static void plugin_destroy(void *raw) {
  struct plugin *self = raw;
  settings_free(&self->settings);
  free(self);
}

static const sallyport_plugin_v1 table = {
  .magic = SALLYPORT_PLUGIN_MAGIC,
  .abi_major = SALLYPORT_ABI_MAJOR,
  .abi_minor = SALLYPORT_ABI_MINOR,
  .struct_size = sizeof(sallyport_plugin_v1),
  .create = plugin_create,
  .call = plugin_call,
  .cancel = plugin_cancel,
  .destroy = plugin_destroy,
};

const sallyport_plugin_v1 *sallyport_plugin_entry(const sallyport_host_v1 *host) {
  return host && host->magic == SALLYPORT_PLUGIN_MAGIC && host->abi_major == SALLYPORT_ABI_MAJOR ? &table : NULL;
}
