#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

static inline int clinux_errno(void) { return errno; }
static inline int clinux_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
static inline int clinux_openat(int directory, const char *path, int flags, mode_t mode) {
  return openat(directory, path, flags, mode);
}
static inline int clinux_fcntl(int fd, int command, long argument) { return fcntl(fd, command, argument); }
// epoll_event is packed on x86-64; its data goes through here so that Swift never names the union.
static inline int clinux_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data = {.u64 = data}};
  return epoll_ctl(epoll, operation, fd, &event);
}
static inline uint64_t clinux_epoll_data(const struct epoll_event *event) { return event->data.u64; }
extern int pipe2(int[2], int);
enum { CLINUX_O_PATH = 010000000 };  // open(2)
// fcntl(2), F_SETPIPE_SZ.
enum { CLINUX_F_SETPIPE_SZ = 1031 };
extern ssize_t splice(int, int64_t *, int, int64_t *, size_t, unsigned);
static inline ssize_t clinux_splice(int in, int out, size_t length, unsigned flags) {
  return splice(in, 0, out, 0, length, flags);
}
// SPLICE_F_MOVE | SPLICE_F_NONBLOCK; splice(2).
enum { CLINUX_SPLICE_FLAGS = 1 | 2 };
