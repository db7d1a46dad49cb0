#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

// From linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h: both SO_ORIGINAL_DST and
// IP6T_SO_ORIGINAL_DST are 80, at SOL_IP and SOL_IPV6.
enum { CLINUX_SO_ORIGINAL_DST = 80 };
// From linux/in.h, since Linux 6.3: the first port in the lower half of 32 bits, the last in the upper; 0 for those of the namespace.
enum { CLINUX_IP_LOCAL_PORT_RANGE = 51 };

extern int setns(int, int);
extern int unshare(int);
extern int accept4(int, struct sockaddr *, socklen_t *, int);
static inline int clinux_setns(int fd, int type) { return setns(fd, type); }
static inline int clinux_unshare(int flags) { return unshare(flags); }
// CLONE_NEWNET and CLONE_NEWNS; clone(2).
enum { CLINUX_CLONE_NEWNET = 0x40000000, CLINUX_CLONE_NEWNS = 0x00020000 };

static inline int clinux_accept4(int fd, struct sockaddr_in6 *address, socklen_t *length, int flags) {
  return accept4(fd, (struct sockaddr *)address, length, flags);
}
// send(2) and recv(2) without what pthread_cancel(3) takes in a process of several threads, 1 % of a small request's cost. Nobody cancels.
static inline ssize_t clinux_send(int fd, const void *bytes, size_t count, int flags) {
  return syscall(SYS_sendto, fd, bytes, count, flags, NULL, 0);
}
static inline ssize_t clinux_recv(int fd, void *bytes, size_t count, int flags) {
  return syscall(SYS_recvfrom, fd, bytes, count, flags, NULL, NULL);
}
// sin6_addr as two integers in memory order, so that Swift copies no tuples.
static inline void clinux_address_words(const struct sockaddr_in6 *address, uint64_t words[2]) {
  memcpy(words, &address->sin6_addr, 16);
}
static inline void clinux_set_address_words(struct sockaddr_in6 *address, const uint64_t words[2]) {
  memcpy(&address->sin6_addr, words, 16);
}

// struct ucred; unix(7).
struct clinux_credentials { int32_t pid; uint32_t uid; uint32_t gid; };
static inline int clinux_peer_credentials(int fd, struct clinux_credentials *out) {
  socklen_t length = sizeof *out;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &length);
}

// Sends, and receives, one byte with `count` descriptors (at most 64); unix(7), SCM_RIGHTS.
static inline int clinux_send_descriptors(int socket, const int *descriptors, int count) {
  union { struct cmsghdr header; char space[CMSG_SPACE(64 * sizeof(int))]; } control;
  char byte = 0;
  struct iovec vector = {&byte, 1};
  struct msghdr message = {0};
  if (count < 1 || count > 64) { errno = EINVAL; return -1; }
  memset(&control, 0, sizeof control);
  message.msg_iov = &vector; message.msg_iovlen = 1;
  message.msg_control = &control; message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET; header->cmsg_type = SCM_RIGHTS; header->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
  return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}
static inline int clinux_receive_descriptors(int socket, int *descriptors, int capacity) {
  union { struct cmsghdr header; char space[CMSG_SPACE(64 * sizeof(int))]; } control;
  char byte;
  struct iovec vector = {&byte, 1};
  struct msghdr message = {0};
  if (capacity > 64) capacity = 64;
  message.msg_iov = &vector; message.msg_iovlen = 1;
  message.msg_control = &control; message.msg_controllen = CMSG_SPACE(capacity * sizeof(int));
  ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (got <= 0) return got == 0 ? 0 : -1;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
      int count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      memcpy(descriptors, CMSG_DATA(header), count * sizeof(int));
      return count;
    }
  return 0;
}
