/* Unix sockets in the guest whose callers reach a socket of the host: the SSH agent, and what users mount. */
#ifndef LONGSHORE_SOCKETS_H
#define LONGSHORE_SOCKETS_H

#include <stdbool.h>

/*
 * Listens at HOST_SERVICES/<file> for callers of the host's socket that the daemon knows as `name`, in place of what was there.
 * The daemon names only what it serves. NULL, or why not (a static text).
 */
const char *sockets_open(const char *name, const char *file);
/* Listens no more; connections go on. False if there was none of that name. */
bool sockets_close(const char *name);
/* Resumes those that ran out of descriptors. True while there are any. */
bool sockets_tick(void);

#endif
