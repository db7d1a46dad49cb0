#pragma once
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

extern int pthread_setname_np(pthread_t, const char *);

// Nanoseconds of CLOCK_MONOTONIC and CLOCK_REALTIME; clock_gettime(2).
static inline uint64_t clinux_monotonic(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
static inline int64_t clinux_realtime(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
static inline int clinux_parent_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, signal); }
static inline int clinux_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }
