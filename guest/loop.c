#include "loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 128
#define TICK_MS 20

static int epoll_fd = -1;
static struct garbage *garbage;
static bool tick_wanted;

int loop_open(void) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd;
}

static int control(int op, struct watch *w) {
    struct epoll_event e = {.events = w->events, .data.ptr = w};
    return epoll_ctl(epoll_fd, op, w->fd, &e);
}

int loop_add(struct watch *w, int fd, uint32_t events, void (*ready)(struct watch *, uint32_t)) {
    w->fd = fd;
    w->events = events;
    w->ready = ready;
    return control(EPOLL_CTL_ADD, w);
}

void loop_set(struct watch *w, uint32_t events) {
    if (w->fd >= 0 && events != w->events) {
        w->events = events;
        control(EPOLL_CTL_MOD, w); /* fails only for a descriptor that isn't in the set */
    }
}

void loop_close(struct watch *w) {
    if (w->fd >= 0) {
        control(EPOLL_CTL_DEL, w); /* closing is not enough while a child has it, which has not called exec yet */
        close(w->fd);
        w->fd = -1;
    }
}

void loop_free_later(struct garbage *g) {
    g->next = garbage;
    garbage = g;
}

static void free_garbage(void) {
    while (garbage) {
        struct garbage *g = garbage;
        garbage = g->next;
        free(g);
    }
}

void loop_want_tick(void) {
    tick_wanted = true;
}

void loop_run(void (*tick)(void)) {
    struct epoll_event events[BATCH];
    for (;;) {
        int n = epoll_wait(epoll_fd, events, BATCH, tick_wanted ? TICK_MS : -1);
        if (n < 0 && errno != EINTR) {
            return;
        }
        for (int i = 0; i < n; i++) {
            struct watch *w = events[i].data.ptr;
            if (w->fd >= 0) { /* not closed by an event before this one */
                w->ready(w, events[i].events);
            }
        }
        if (tick_wanted) {
            tick_wanted = false;
            tick();
        }
        free_garbage();
    }
}
