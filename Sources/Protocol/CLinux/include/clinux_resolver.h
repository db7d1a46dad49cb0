// Questions to name servers; resolver(3).
#pragma once
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

// Asks for the records of `type` (ns_t_a, ns_t_aaaa) of `name`, without the search list, over UDP and, where the
// answer does not fit, TCP. `server` is an AF_INET or AF_INET6 address; NULL for those of /etc/resolv.conf.
// Returns the length of the answer, which may be larger than `capacity`, or minus HOST_NOT_FOUND, TRY_AGAIN,
// NO_RECOVERY or NO_DATA (netdb.h). Takes at most 2 tries of 2 s for each server.
static inline int clinux_query(const char *name, int type, const struct sockaddr_in6 *server, uint8_t *answer, int capacity) {
  struct __res_state state;
  memset(&state, 0, sizeof state);
  if (res_ninit(&state)) return -TRY_AGAIN;
  state.retrans = 2;
  state.retry = 2;
  if (server) {
    state.nscount = 1;
    if (server->sin6_family == AF_INET) {
      memcpy(&state.nsaddr_list[0], server, sizeof state.nsaddr_list[0]);
    } else {
      // glibc keeps IPv6 servers apart; a family of 0 in the list means "look there" (resolv/res_send.c, get_nsaddr).
      state.nsaddr_list[0].sin_family = 0;
      if (!state._u._ext.nsaddrs[0]) state._u._ext.nsaddrs[0] = (struct sockaddr_in6 *)malloc(sizeof *server);
      if (!state._u._ext.nsaddrs[0]) { res_nclose(&state); return -TRY_AGAIN; }
      *state._u._ext.nsaddrs[0] = *server;
    }
  }
  int length = res_nquery(&state, name, ns_c_in, type, answer, capacity);
  int failure = state.res_h_errno;
  res_nclose(&state);
  if (length >= 0) return length;
  return failure == HOST_NOT_FOUND || failure == NO_RECOVERY || failure == NO_DATA ? -failure : -TRY_AGAIN;
}
