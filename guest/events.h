/* Events of the host's files for watchers in the guest: see events.c. */
#ifndef LONGSHORE_EVENTS_H
#define LONGSHORE_EVENTS_H

/* Makes `stream` a session, which a process of its own answers until it ends. An errno, or 0: then the caller has lost it. */
int events_begin(int stream);

#endif
