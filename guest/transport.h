/*
 * Streams between guest and daemon. Production: AF_VSOCK. In the test build (AGENT_TEST, never shipped: it is a binary of
 * its own, not a switch): Unix sockets DIR/<port>, DIR from the environment, because hosts often lack vsock's loopback.
 */
#ifndef LONGSHORE_TRANSPORT_H
#define LONGSHORE_TRANSPORT_H

#include <stdbool.h>

/* A non-blocking listening socket, or -1 with errno. */
int transport_listen(unsigned port);
/* A non-blocking accepted socket, or -1 with errno. `*from_daemon` says whether the daemon is the caller: containers, too,
 * can open AF_VSOCK sockets to the guest's own address. */
int transport_accept(int listener, bool *from_daemon);
/* A non-blocking socket connecting, or connected, to the daemon; -1 with errno. */
int transport_connect(unsigned port);

#endif
