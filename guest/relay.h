/* Joins an accepted stream of the daemon to a new connection to the Engine's socket. */
#ifndef LONGSHORE_RELAY_H
#define LONGSHORE_RELAY_H

#include <stdbool.h>

/* Owns `stream` (non-blocking). If the Engine isn't there, `stream` is closed at once. */
void relay_open(int stream);
/* Retries connections that found the Engine's backlog full. True while there are any. */
bool relay_retry(void);
/* True once since the last call if a relay ended, so descriptors became free. */
bool relay_freed(void);

#endif
