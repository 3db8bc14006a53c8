/* The one epoll loop of `serve`: single-threaded, level-triggered unless a watch asks for EPOLLET. */
#ifndef LONGSHORE_LOOP_H
#define LONGSHORE_LOOP_H

#include <stdint.h>

struct watch {
    int fd;
    /* What epoll has been told. */
    uint32_t events;
    void (*ready)(struct watch *, uint32_t events);
};

/* Something freed only after the current batch of events, which may still point into it. */
struct garbage {
    struct garbage *next;
};

int loop_open(void);
/* 0, or -1 with errno. */
int loop_add(struct watch *w, int fd, uint32_t events, void (*ready)(struct watch *, uint32_t));
/* No system call if nothing changes. */
void loop_set(struct watch *w, uint32_t events);
/* Closes the descriptor and takes it out of epoll, whoever else has it. Idempotent. */
void loop_close(struct watch *w);
/* free() after this batch: `g` is the first member of what was allocated. */
void loop_free_later(struct garbage *g);
/* Asks for `tick` to be called once, within about 20 ms. */
void loop_want_tick(void);
/* Handles events for ever; calls `tick` when asked. Returns only if epoll itself fails. */
void loop_run(void (*tick)(void));

#endif
