// Between protobuf-c's messages and the bytes that calls carry: the same for every plugin in C.
#pragma once
#include <protobuf-c/protobuf-c.h>
#include <string.h>

#include "sallyport/plugin.h"

// Answers a call with a message. The memory becomes the host's (docs/plugin-abi.md, section 7).
static inline int32_t reply_message(const sallyport_host_v1 *host, sallyport_reply_v1 *reply, const ProtobufCMessage *message) {
  reply->size = protobuf_c_message_get_packed_size(message);
  reply->data = host->alloc(reply->size ? reply->size : 1);
  if (!reply->data) {
    reply->size = 0;
    return SALLYPORT_RESOURCE_EXHAUSTED;
  }
  protobuf_c_message_pack(message, reply->data);
  return SALLYPORT_OK;
}

// Answers a call with a code and a sentence.
static inline int32_t reply_error(const sallyport_host_v1 *host, sallyport_reply_v1 *reply, int32_t code, const char *text) {
  reply->data = host->alloc(strlen(text));
  if (!reply->data) return code;
  reply->size = strlen(text);
  memcpy(reply->data, text, reply->size);
  return code;
}

// Sends a message on a stream, and waits while its queue is full.
static inline int32_t send_message(const sallyport_host_v1 *host, void *context, uint64_t call, const ProtobufCMessage *message) {
  uint8_t space[512];
  ProtobufCBufferSimple buffer = PROTOBUF_C_BUFFER_SIMPLE_INIT(space);
  protobuf_c_message_pack_to_buffer(message, &buffer.base);
  int32_t code = host->stream_send(context, call, buffer.data, buffer.len, 0);
  PROTOBUF_C_BUFFER_SIMPLE_CLEAR(&buffer);
  return code;
}

// The request of a call; NULL if it is no such message.
static inline ProtobufCMessage *read_request(const sallyport_call_v1 *call, const ProtobufCMessageDescriptor *type) {
  return protobuf_c_message_unpack(type, NULL, call->request_size, call->request ? call->request : (const uint8_t *)"");
}
