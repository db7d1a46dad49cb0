#pragma once
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clinux_files.h"

extern int setresuid(uid_t real, uid_t effective, uid_t saved);
extern int setresgid(gid_t real, gid_t effective, gid_t saved);
enum { CLINUX_AT_EMPTY_PATH = 0x1000 };  // fcntl.h

// A child process that has nothing of its parent but what is named here. posix_spawn(3) sets neither limits
// nor no_new_privs, and Swift code may not run between fork and exec, so this is C and async-signal-safe
// throughout (signal-safety(7)).
struct clinux_spawn {
  int image;                   // what is executed
  int null, output, socket;    // become 0; 1 and 2; 3
  int file;                    // becomes 4 and is left open; -1 for none
  char *const *arguments;      // with NULL at the end
  uint64_t data_limit;         // RLIMIT_DATA, bytes
  uint64_t descriptor_limit;   // RLIMIT_NOFILE
  int changes_user;            // whether the next ones count
  uid_t user;
  gid_t group;
  const gid_t *groups;
  size_t group_count;
};

// What failed in the child, as it reports it.
struct clinux_spawn_failure { int step, code; };
enum { CLINUX_SPAWN_DESCRIPTORS = 1, CLINUX_SPAWN_LIMITS, CLINUX_SPAWN_USER, CLINUX_SPAWN_PARENT, CLINUX_SPAWN_EXECUTE };

// `image` and `report` are moved too. What is close-on-exec stays usable until then.
static inline int clinux_spawn_setup(const struct clinux_spawn *spawn, int *image, int *report, pid_t parent, int *step) {
  // Out of the way of the numbers they will have, whatever theirs are now.
  int from[5] = {spawn->null, spawn->output, spawn->output, spawn->socket, spawn->file};
  *step = CLINUX_SPAWN_DESCRIPTORS;
  int moved = fcntl(*report, F_DUPFD_CLOEXEC, 16);
  if (moved < 0) return -1;
  *report = moved;
  if ((*image = fcntl(spawn->image, F_DUPFD_CLOEXEC, 16)) < 0) return -1;
  int count = spawn->file >= 0 ? 5 : 4;
  for (int i = 0; i < count; i++)
    if ((from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 16)) < 0) return -1;
  for (int i = 0; i < count; i++)
    if (dup2(from[i], i) < 0) return -1;
  if (syscall(SYS_close_range, count, ~0u, CLOSE_RANGE_CLOEXEC)) return -1;
  if (setsid() < 0 || chdir("/")) return -1;
  umask(077);

  for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);

  *step = CLINUX_SPAWN_LIMITS;
  struct rlimit core = {0, 0}, data = {spawn->data_limit, spawn->data_limit};
  struct rlimit descriptors = {spawn->descriptor_limit, spawn->descriptor_limit};
  if (setrlimit(RLIMIT_CORE, &core) || setrlimit(RLIMIT_DATA, &data) || setrlimit(RLIMIT_NOFILE, &descriptors)) return -1;

  *step = CLINUX_SPAWN_USER;
  if (spawn->changes_user) {
    if (setgroups(spawn->group_count, spawn->groups)) return -1;
    if (setresgid(spawn->group, spawn->group, spawn->group)) return -1;
    if (setresuid(spawn->user, spawn->user, spawn->user)) return -1;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -1;

  // After the change of user, which clears it (prctl(2)); a parent that ended before is seen by the second line.
  *step = CLINUX_SPAWN_PARENT;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL)) return -1;
  if (getppid() != parent) { errno = ESRCH; return -1; }
  return 0;
}

// Starts the child. Call it on a thread that lives as long as the process: the kernel sends the parent-death signal when
// the *thread* that forked ends (prctl(2)).
// Returns its pid, or -1 with `failure` filled in; the child has begun to execute then, or is gone.
static inline pid_t clinux_spawn_child(const struct clinux_spawn *spawn, struct clinux_spawn_failure *failure) {
  int report[2];
  failure->step = CLINUX_SPAWN_DESCRIPTORS;
  if (pipe2(report, O_CLOEXEC)) { failure->code = errno; return -1; }
  pid_t parent = getpid(), child;
  // No signal handler of the parent may run in the child.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  child = fork();
  if (child == 0) {
    struct clinux_spawn_failure trouble;
    // A crash ends it at once: the host says so in one line, and starts it again.
    char *const environment[] = {"SWIFT_BACKTRACE=enable=no", NULL};
    int image;
    if (clinux_spawn_setup(spawn, &image, &report[1], parent, &trouble.step) == 0) {
      trouble.step = CLINUX_SPAWN_EXECUTE;
      // A script is executed as 4, which stays open for its interpreter.
      syscall(SYS_execveat, spawn->file == spawn->image ? 4 : image, "", spawn->arguments, environment, CLINUX_AT_EMPTY_PATH);
    }
    trouble.code = errno;
    _exit(write(report[1], &trouble, sizeof trouble) < 0 ? 126 : 127);
  }
  failure->code = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(report[1]);
  if (child > 0) {
    ssize_t got;
    do got = read(report[0], failure, sizeof *failure); while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof *failure) {
      waitpid(child, NULL, 0);
      child = -1;
    }
  }
  close(report[0]);
  return child;
}

static inline int clinux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
static inline int clinux_wait_status_exited(int status) { return WIFEXITED(status); }
static inline int clinux_wait_status_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status); }
