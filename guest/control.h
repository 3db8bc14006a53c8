/* The control port: one text line in, one out. */
#ifndef LONGSHORE_CONTROL_H
#define LONGSHORE_CONTROL_H

/* Owns `stream` (non-blocking). */
void control_open(int stream);

#endif
