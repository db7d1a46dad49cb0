// Not a plugin: a program that says on standard error what the host gave it, and ends.
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

int main(int count, char **arguments) {
  char directory[4096];
  int death, variables = 0;
  struct rlimit core, files, data;
  sigset_t blocked;
  while (environ[variables]) variables++;
  prctl(PR_GET_PDEATHSIG, &death);
  getrlimit(RLIMIT_CORE, &core);
  getrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_DATA, &data);
  sigprocmask(SIG_SETMASK, NULL, &blocked);
  fprintf(stderr, "<6>arguments %d %s\n", count, arguments[0]);
  fprintf(stderr, "<6>environment %d\n", variables);
  fprintf(stderr, "<6>directory %s\n", getcwd(directory, sizeof directory));
  fprintf(stderr, "<6>umask %o\n", umask(0));
  fprintf(stderr, "<6>no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  fprintf(stderr, "<6>death signal %d\n", death);
  fprintf(stderr, "<6>core %llu files %llu data %llu\n", (unsigned long long)core.rlim_cur, (unsigned long long)files.rlim_cur,
          (unsigned long long)data.rlim_cur);
  fprintf(stderr, "<6>blocked %d ignored %d\n", sigismember(&blocked, SIGTERM), signal(SIGPIPE, SIG_DFL) == SIG_IGN);
  fprintf(stderr, "<6>user %d %d groups %d\n", getuid(), getgid(), getgroups(0, NULL));
  DIR *open = opendir("/proc/self/fd");
  for (struct dirent *entry; (entry = readdir(open));)
    if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(open)) fprintf(stderr, "<6>descriptor %s\n", entry->d_name);
  printf("a line without a level\n");
  fflush(stdout);
  fputs("<3>a line without an end", stderr);
  return 5;
}
