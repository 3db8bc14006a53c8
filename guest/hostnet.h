/* Containers in the guest's own network (--net=host): who listens there, and the way from its loopback to the host's. */
#ifndef LONGSHORE_HOSTNET_H
#define LONGSHORE_HOSTNET_H

#include <stdbool.h>

/*
 * Begins, for the control session `fd`, which hears of listeners from now on and whose end ends it; another session's is ended.
 * `words` are the addresses of the host as the guest calls it: `<IPv4> <IPv6 or ->`. NULL, or what is wrong.
 */
const char *hostnet_begin(int fd, const char *words);
/* `+ tcp <port>` or `- udp <port>`: a service at the host's loopback. NULL, or what is wrong. */
const char *hostnet_host_port(int fd, const char *words);
/* The session is over. Nothing if it is not the one. */
void hostnet_end(int fd);

#endif
