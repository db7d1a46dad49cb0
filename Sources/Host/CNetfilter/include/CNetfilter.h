// What Interception needs of the kernel's own headers: the numbers of nfnetlink and nf_tables, and
// calls that Swift cannot import because they are macros or variadic. Static inline functions only.
#pragma once
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <netinet/in.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <linux/fib_rules.h>
#include <linux/magic.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>

// Whether `fd` is a network namespace: a file of nsfs whose type, ioctl_ns(2), is CLONE_NEWNET (0x40000000).
// The file system is asked first: the ioctl's number means something else to a device.
static inline int cnetfilter_is_network_namespace(int fd) {
  struct statfs fs;
  return fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC && ioctl(fd, NS_GET_NSTYPE) == 0x40000000;
}

// The flags (IFF_UP, …) of the interface `name` in the calling thread's namespace, through any
// socket; netdevice(7). -1 and errno if there is none.
static inline int cnetfilter_interface_flags(int socket, const char *name) {
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(socket, SIOCGIFFLAGS, &request)) return -1;
  return (unsigned short)request.ifr_flags;
}

// Sends one batch to the kernel (port 0), in one datagram.
static inline ssize_t cnetfilter_send(int socket, const void *bytes, size_t count) {
  struct sockaddr_nl kernel;
  memset(&kernel, 0, sizeof kernel);
  kernel.nl_family = AF_NETLINK;
  return sendto(socket, bytes, count, 0, (struct sockaddr *)&kernel, sizeof kernel);
}

static inline int cnetfilter_bind(int socket, const struct sockaddr_in6 *address, socklen_t length) {
  return bind(socket, (const struct sockaddr *)address, length);
}
static inline int cnetfilter_socket_name(int socket, struct sockaddr_in6 *address, socklen_t *length) {
  return getsockname(socket, (struct sockaddr *)address, length);
}

// The number that stands for the network namespace of `socket` in programs (SO_NETNS_COOKIE, Linux 5.14), in every namespace another
// and never used again. 0 and errno if the kernel has none.
static inline uint64_t cnetfilter_namespace_cookie(int socket) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  // asm-generic/socket.h; the headers of glibc may be older than the kernel.
  return getsockopt(socket, SOL_SOCKET, 71, &cookie, &length) ? 0 : cookie;
}

// Whether the directory `fd` is of cgroup v2.
static inline int cnetfilter_is_cgroup2(int fd) {
  struct statfs fs;
  return fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}
