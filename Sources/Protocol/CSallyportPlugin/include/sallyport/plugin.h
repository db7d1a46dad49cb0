/* The interface between Sallyport and a plugin in the same process, ABI 1.0.
 *
 * A plugin is a shared object that exports one function, `sallyport_plugin_entry`. What it is asked
 * and answers are protobuf messages of the services in sallyport/plugin/v1/plugin.proto; this header
 * only carries them. docs/plugin-abi.md is normative; its section numbers are cited here.
 */
#ifndef SALLYPORT_PLUGIN_H
#define SALLYPORT_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* §3 Negotiation: both tables begin with these. A major that differs is refused; a minor grows by
 * members appended to a table, and `struct_size` says which of them are there. */
#define SALLYPORT_PLUGIN_MAGIC 0x50594c53u /* "SLYP" in memory, little endian */
#define SALLYPORT_ABI_MAJOR 1
#define SALLYPORT_ABI_MINOR 0
/* Bytes of the tables in version 1.0, on 64-bit machines: the least that `struct_size` may be. */
#define SALLYPORT_HOST_SIZE_1_0 64
#define SALLYPORT_PLUGIN_SIZE_1_0 56

/* §6 The largest message either way, in bytes: as on the wire. */
#define SALLYPORT_MESSAGE_MAX 4194304

/* §2 The services, by the names that calls carry. */
#define SALLYPORT_SERVICE_PLUGIN "sallyport.plugin.v1.Plugin"
#define SALLYPORT_SERVICE_POLICY_SOURCE "sallyport.plugin.v1.PolicySource"
#define SALLYPORT_SERVICE_TLS_PROVIDER "sallyport.plugin.v1.TLSProvider"
#define SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER "sallyport.plugin.v1.LoadBalancerAdapter"
#define SALLYPORT_SERVICE_PUBLIC_TLS "sallyport.plugin.v1.PublicTLS"

/* §5 How a call ends: 0, or a gRPC status code; the ones a plugin has use for. */
#define SALLYPORT_OK 0
#define SALLYPORT_CANCELLED 1
#define SALLYPORT_UNKNOWN 2
#define SALLYPORT_INVALID_ARGUMENT 3
#define SALLYPORT_DEADLINE_EXCEEDED 4
#define SALLYPORT_NOT_FOUND 5
#define SALLYPORT_PERMISSION_DENIED 7
#define SALLYPORT_RESOURCE_EXHAUSTED 8
#define SALLYPORT_FAILED_PRECONDITION 9
#define SALLYPORT_UNIMPLEMENTED 12
#define SALLYPORT_INTERNAL 13
#define SALLYPORT_UNAVAILABLE 14
/* From `call`: the answer comes later, through stream_send and stream_close. */
#define SALLYPORT_LATER (-1)
/* From `stream_send` with SALLYPORT_DONT_WAIT: nothing was taken; `writable` will be called. */
#define SALLYPORT_AGAIN (-2)

/* Flags of stream_send. */
#define SALLYPORT_DONT_WAIT 1u

/* Levels of log: syslog(3)'s. */
#define SALLYPORT_LOG_ERROR 3
#define SALLYPORT_LOG_WARNING 4
#define SALLYPORT_LOG_NOTICE 5
#define SALLYPORT_LOG_INFO 6
#define SALLYPORT_LOG_DEBUG 7

typedef struct sallyport_host_v1 sallyport_host_v1;
typedef struct sallyport_plugin_v1 sallyport_plugin_v1;

/* One call, valid only while the function that received it runs. */
typedef struct sallyport_call_v1 {
  uint64_t id;            /* never 0, never used again for this instance */
  uint64_t deadline;      /* CLOCK_MONOTONIC nanoseconds; 0 for none */
  const char *service;    /* SALLYPORT_SERVICE_..., NUL-terminated */
  const char *method;     /* "Describe", NUL-terminated */
  const uint8_t *request; /* the request message; may be NULL when its size is 0 */
  size_t request_size;
} sallyport_call_v1;

/* What `call` answers at once. `data` comes from host->alloc and becomes the host's; NULL is empty. */
typedef struct sallyport_reply_v1 {
  uint8_t *data; /* with SALLYPORT_OK the response message, else one sentence in UTF-8 */
  size_t size;
} sallyport_reply_v1;

/* What the host offers. It is constant and stays valid for the life of the process. Every function may
 * be called from any thread. `context` is what `create` was given. */
struct sallyport_host_v1 {
  uint32_t magic;
  uint16_t abi_major;
  uint16_t abi_minor;
  uint32_t struct_size;
  uint32_t reserved;

  /* §7 Memory that changes owner. NULL when there is none. */
  void *(*alloc)(size_t size);
  void (*free)(void *memory);

  /* One line, without its end; over 8 KiB it is cut. */
  void (*log)(void *context, int32_t level, const char *text, size_t size);

  /* §5 Sends one message of a call that returned SALLYPORT_LATER. The bytes are copied. Waits while the
   * host's queue for that call is full, unless SALLYPORT_DONT_WAIT is given.
   * Returns SALLYPORT_OK, SALLYPORT_AGAIN, SALLYPORT_CANCELLED when nobody reads any longer, or
   * SALLYPORT_RESOURCE_EXHAUSTED for a message over SALLYPORT_MESSAGE_MAX, which ends the call. */
  int32_t (*stream_send)(void *context, uint64_t call, const uint8_t *message, size_t size, uint32_t flags);

  /* §5 Ends such a call, exactly once: SALLYPORT_OK, or a code with one sentence in UTF-8. */
  void (*stream_close)(void *context, uint64_t call, int32_t code, const char *text, size_t size);

  /* §5 Not 0 once nobody waits for the call any longer: for work that runs long inside `call`. */
  int32_t (*cancelled)(void *context, uint64_t call);
};

/* What a plugin offers. The host calls these from one thread of the plugin's own, never two at once. */
struct sallyport_plugin_v1 {
  uint32_t magic;
  uint16_t abi_major;
  uint16_t abi_minor;
  uint32_t struct_size;
  uint32_t reserved;

  /* §4 Makes an instance. `plugin` is this table. NULL refuses: log why before. */
  void *(*create)(const sallyport_plugin_v1 *plugin, const sallyport_host_v1 *host, void *context);

  /* §5 Answers a call: fills `reply` and returns how it ended, or returns SALLYPORT_LATER.
   * Unary methods send exactly one message later, server streams any number. */
  int32_t (*call)(void *self, const sallyport_call_v1 *call, sallyport_reply_v1 *reply);

  /* §5 Nobody reads this call any longer: stop, and stream_close it with SALLYPORT_CANCELLED. */
  void (*cancel)(void *self, uint64_t call);

  /* §5 After SALLYPORT_AGAIN: there is room again. May be NULL if DONT_WAIT is never used. */
  void (*writable)(void *self, uint64_t call);

  /* §4 The last call to an instance. Host functions called with its context afterwards do nothing. */
  void (*destroy)(void *self);
};

/* §3 The one exported function. It returns a table that stays valid for the life of the process, or
 * NULL if it cannot work with this host. It may be called more than once. */
#ifdef __GNUC__
__attribute__((visibility("default")))
#endif
const sallyport_plugin_v1 *sallyport_plugin_entry(const sallyport_host_v1 *host);

#ifdef __cplusplus
}
#endif

#endif
