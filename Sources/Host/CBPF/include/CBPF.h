// bpf(2) as Interception needs it: its argument is a union of unnamed structures, which Swift cannot import. Static inline functions only.
// Each returns a descriptor or 0, or -1 and errno.
#pragma once
#include <linux/bpf.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static inline int cbpf_call(int command, union bpf_attr *attributes) {
  return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

// `inner` is a map like those that a map of maps holds, for others 0.
static inline int cbpf_map(
    uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t most, uint32_t flags, int inner, const char *name) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_type = type;
  attributes.key_size = key_size;
  attributes.value_size = value_size;
  attributes.max_entries = most;
  attributes.map_flags = flags;
  attributes.inner_map_fd = (uint32_t)inner;
  strncpy(attributes.map_name, name, sizeof attributes.map_name - 1);
  return cbpf_call(BPF_MAP_CREATE, &attributes);
}

static inline int cbpf_update(int map, const void *key, const void *value) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_fd = (uint32_t)map;
  attributes.key = (uint64_t)(uintptr_t)key;
  attributes.value = (uint64_t)(uintptr_t)value;
  attributes.flags = BPF_ANY;
  return cbpf_call(BPF_MAP_UPDATE_ELEM, &attributes);
}

static inline int cbpf_lookup(int map, const void *key, void *value) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_fd = (uint32_t)map;
  attributes.key = (uint64_t)(uintptr_t)key;
  attributes.value = (uint64_t)(uintptr_t)value;
  return cbpf_call(BPF_MAP_LOOKUP_ELEM, &attributes);
}

static inline int cbpf_delete(int map, const void *key) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_fd = (uint32_t)map;
  attributes.key = (uint64_t)(uintptr_t)key;
  return cbpf_call(BPF_MAP_DELETE_ELEM, &attributes);
}

// Loads `count` instructions. What the verifier says goes into `log`, if that is not NULL.
static inline int cbpf_load(
    uint32_t type, uint32_t attach_type, const uint64_t *instructions, uint32_t count, const char *name, char *log, uint32_t log_size) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = type;
  attributes.expected_attach_type = attach_type;
  attributes.insns = (uint64_t)(uintptr_t)instructions;
  attributes.insn_cnt = count;
  attributes.license = (uint64_t)(uintptr_t)"Apache-2.0";
  strncpy(attributes.prog_name, name, sizeof attributes.prog_name - 1);
  if (log) {
    attributes.log_buf = (uint64_t)(uintptr_t)log;
    attributes.log_size = log_size;
    attributes.log_level = 1;
  }
  return cbpf_call(BPF_PROG_LOAD, &attributes);
}

// Attaches `program` to a cgroup or a network namespace. It stays for as long as the descriptor returned is open, or a file stands for it.
static inline int cbpf_attach(int program, int target, uint32_t type) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.link_create.prog_fd = (uint32_t)program;
  attributes.link_create.target_fd = (uint32_t)target;
  attributes.link_create.attach_type = type;
  return cbpf_call(BPF_LINK_CREATE, &attributes);
}

// Puts `program` in the place of the one that is attached by `link`.
static inline int cbpf_replace(int link, int program) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.link_update.link_fd = (uint32_t)link;
  attributes.link_update.new_prog_fd = (uint32_t)program;
  return cbpf_call(BPF_LINK_UPDATE, &attributes);
}

// Takes away what `link` attaches, whoever else has that open.
static inline int cbpf_detach(int link) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.link_detach.link_fd = (uint32_t)link;
  return cbpf_call(BPF_LINK_DETACH, &attributes);
}

// The inode of the network namespace to which a program is attached by `link`; 0 once that is gone.
static inline uint32_t cbpf_namespace(int link) {
  struct bpf_link_info info;
  memset(&info, 0, sizeof info);
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.info.bpf_fd = (uint32_t)link;
  attributes.info.info_len = sizeof info;
  attributes.info.info = (uint64_t)(uintptr_t)&info;
  return cbpf_call(BPF_OBJ_GET_INFO_BY_FD, &attributes) ? 0 : info.netns.netns_ino;
}

// Makes the file `path` of a BPF file system stand for a map or a link, which lives for as long as the file does.
static inline int cbpf_pin(int object, const char *path) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.pathname = (uint64_t)(uintptr_t)path;
  attributes.bpf_fd = (uint32_t)object;
  return cbpf_call(BPF_OBJ_PIN, &attributes);
}

static inline int cbpf_pinned(const char *path) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.pathname = (uint64_t)(uintptr_t)path;
  return cbpf_call(BPF_OBJ_GET, &attributes);
}

// Whether `path` is in a BPF file system.
static inline int cbpf_is_file_system(const char *path) {
  struct statfs fs;
  return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

// Where programs find what they look at.
enum {
  CBPF_SOCK_OPS_OP = __builtin_offsetof(struct bpf_sock_ops, op),
  CBPF_SOCK_OPS_FAMILY = __builtin_offsetof(struct bpf_sock_ops, family),
  CBPF_SOCK_OPS_LOCAL_IP4 = __builtin_offsetof(struct bpf_sock_ops, local_ip4),
  CBPF_SOCK_OPS_LOCAL_IP6 = __builtin_offsetof(struct bpf_sock_ops, local_ip6),
  CBPF_SOCK_OPS_LOCAL_PORT = __builtin_offsetof(struct bpf_sock_ops, local_port),
  CBPF_SOCK_OPS_REMOTE_IP4 = __builtin_offsetof(struct bpf_sock_ops, remote_ip4),
  CBPF_SOCK_OPS_REMOTE_IP6 = __builtin_offsetof(struct bpf_sock_ops, remote_ip6),
  CBPF_SOCK_OPS_REMOTE_PORT = __builtin_offsetof(struct bpf_sock_ops, remote_port),
  CBPF_SOCK_OPS_SK = __builtin_offsetof(struct bpf_sock_ops, sk),
  CBPF_SOCK_ADDR_IP4 = __builtin_offsetof(struct bpf_sock_addr, user_ip4),
  CBPF_SOCK_ADDR_IP6 = __builtin_offsetof(struct bpf_sock_addr, user_ip6),
  CBPF_SOCK_ADDR_PORT = __builtin_offsetof(struct bpf_sock_addr, user_port),
  CBPF_SOCK_ADDR_PROTOCOL = __builtin_offsetof(struct bpf_sock_addr, protocol),
  CBPF_SOCK_ADDR_SK = __builtin_offsetof(struct bpf_sock_addr, sk),
  CBPF_LOOKUP_FAMILY = __builtin_offsetof(struct bpf_sk_lookup, family),
  CBPF_LOOKUP_PROTOCOL = __builtin_offsetof(struct bpf_sk_lookup, protocol),
  CBPF_LOOKUP_REMOTE_IP4 = __builtin_offsetof(struct bpf_sk_lookup, remote_ip4),
  CBPF_LOOKUP_REMOTE_IP6 = __builtin_offsetof(struct bpf_sk_lookup, remote_ip6),
  CBPF_LOOKUP_REMOTE_PORT = __builtin_offsetof(struct bpf_sk_lookup, remote_port),
  CBPF_LOOKUP_LOCAL_IP4 = __builtin_offsetof(struct bpf_sk_lookup, local_ip4),
  CBPF_LOOKUP_LOCAL_IP6 = __builtin_offsetof(struct bpf_sk_lookup, local_ip6),
  CBPF_LOOKUP_LOCAL_PORT = __builtin_offsetof(struct bpf_sk_lookup, local_port),
  CBPF_SOCK_BOUND_INTERFACE = __builtin_offsetof(struct bpf_sock, bound_dev_if),
  CBPF_SOCK_MARK = __builtin_offsetof(struct bpf_sock, mark),
};
