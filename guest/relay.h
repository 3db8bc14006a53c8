/* Joins streams of the daemon to Unix sockets in the guest. */
#ifndef LONGSHORE_RELAY_H
#define LONGSHORE_RELAY_H

#include <stdbool.h>
#include <stddef.h>

/* Joins `stream` (non-blocking, owned) to a new connection to the Engine. If the Engine isn't there, `stream` is closed at once. */
void relay_open(int stream);
/*
 * Joins `caller` (non-blocking, owned) to a new stream to the daemon's port, which is sent `first` before anything of the
 * caller's. If the daemon isn't there, `caller` is closed.
 */
void relay_dial(int caller, unsigned port, const char *first, size_t len);
/* Retries connections that found the Engine's backlog full. True while there are any. */
bool relay_retry(void);
/* True once since the last call if a relay ended, so descriptors became free. */
bool relay_freed(void);

#endif
