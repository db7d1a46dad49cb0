// adjtimex(2), whose header Swift's Glibc module leaves out.
#pragma once
#include <sys/timex.h>

// 1 if the kernel's clock is kept right by somebody, 0 if not, -1 if that cannot be told.
static inline int ctimex_is_synchronised(void) {
  struct timex state = {0};
  return adjtimex(&state) < 0 ? -1 : (state.status & STA_UNSYNC) == 0;
}
