/*
 * Theory of operation.
 *
 * A pair has two ends (0 the daemon's stream, 1 the Unix socket in the guest: the Engine's, or of a caller of the host) and two directions; direction d reads end d and writes
 * the other. Bytes go through one scratch buffer and normally straight on. Only what the receiver doesn't take is kept, in
 * the direction's stash, and as long as there is a stash its source isn't read: that is the back-pressure, and a pair that
 * isn't blocked holds no memory.
 *
 * A direction ends in one of two ways. Its source's EOF, once everything before it is written, becomes shutdown(SHUT_WR)
 * on the receiver. Or the receiver takes nothing any more (EPIPE): then the source is told by shutdown(SHUT_RD). The other
 * direction goes on in both cases, and the pair closes when both have ended, or at once on any error.
 *
 * A stream that the daemon closed or reset reads as plain EOF here, like a half-close; AF_VSOCK raises no error for it. The
 * difference shows when sending: an empty send() fails with EPIPE if the peer won't receive. That is asked at each EOF,
 * and again when epoll says something happened to an end whose EOF has been seen.
 *
 * Epoll: an end that is to be read is level-triggered. One that isn't is edge-triggered, because EPOLLHUP and EPOLLRDHUP
 * would otherwise be reported for ever.
 */
#include "relay.h"

#include "agent.h"
#include "loop.h"
#include "transport.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SCRATCH_BYTES 65536
/* Reads of one direction before other connections get their turn. */
#define ROUNDS 8
/* How long a connection waits for room in the Engine's backlog, or for a descriptor. */
#define CONNECT_MS 10000

struct direction {
    char *stash; /* what the receiver hasn't taken; NULL if nothing */
    size_t at, len;
    bool eof;   /* nothing more to read from the source */
    bool ended; /* EOF passed on, or the receiver takes nothing any more */
};

struct pair {
    struct garbage garbage; /* first, so that freeing it frees the pair */
    struct watch end[2];
    struct direction dir[2];
    bool closed;
    int64_t give_up_ms; /* while waiting for the Engine's backlog */
    struct pair *next_waiting;
};

static char scratch[SCRATCH_BYTES];
static struct pair *waiting;
static bool freed;

static void drop_stash(struct direction *d) {
    free(d->stash);
    d->stash = NULL;
    d->at = d->len = 0;
}

static void close_pair(struct pair *p) {
    if (!p->closed) {
        p->closed = true;
        loop_close(&p->end[0]);
        loop_close(&p->end[1]);
        drop_stash(&p->dir[0]);
        drop_stash(&p->dir[1]);
        loop_free_later(&p->garbage);
        freed = true;
    }
}

/* The receiver of direction d takes nothing any more. */
static void end_refused(struct pair *p, int d) {
    if (!p->dir[d].ended) {
        drop_stash(&p->dir[d]);
        p->dir[d].eof = p->dir[d].ended = true;
        shutdown(p->end[d].fd, SHUT_RD);
    }
}

/* End e's EOF has been seen. If it is closed altogether, nothing can be sent to it either. */
static void check_closed(struct pair *p, int e) {
    if (send(p->end[e].fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != EINTR) {
        end_refused(p, !e);
    }
}

static bool is_blocked(ssize_t n) {
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static bool is_refused(ssize_t n) {
    return n < 0 && (errno == EPIPE || errno == ENOTCONN);
}

enum progress { MORE, BLOCKED, FAILED };

/* Writes `len` bytes to the receiver. `*done` says how many it took. */
static enum progress put(struct pair *p, int d, const char *bytes, size_t len, size_t *done) {
    *done = 0;
    while (*done < len) {
        ssize_t n = send(p->end[!d].fd, bytes + *done, len - *done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            *done += (size_t)n;
        } else if (is_blocked(n)) {
            return BLOCKED;
        } else if (is_refused(n)) {
            end_refused(p, d);
            return BLOCKED;
        } else if (errno != EINTR) {
            return FAILED;
        }
    }
    return MORE;
}

static enum progress flush_stash(struct pair *p, int d) {
    struct direction *dir = &p->dir[d];
    size_t done;
    enum progress r = put(p, d, dir->stash + dir->at, dir->len, &done);
    if (dir->stash) { /* not dropped meanwhile */
        dir->at += done;
        dir->len -= done;
        if (dir->len == 0) {
            drop_stash(dir);
        }
    }
    return r;
}

static enum progress keep(struct direction *dir, const char *bytes, size_t len) {
    dir->stash = malloc(len);
    if (!dir->stash) {
        return FAILED;
    }
    memcpy(dir->stash, bytes, len);
    dir->at = 0;
    dir->len = len;
    return BLOCKED;
}

static enum progress move_some(struct pair *p, int d) {
    struct direction *dir = &p->dir[d];
    ssize_t n = recv(p->end[d].fd, scratch, sizeof scratch, MSG_DONTWAIT);
    if (n == 0) {
        dir->eof = true;
        return MORE;
    }
    if (n < 0) {
        return is_blocked(n) || errno == EINTR ? BLOCKED : FAILED;
    }
    size_t done;
    enum progress r = put(p, d, scratch, (size_t)n, &done);
    return r == BLOCKED && !dir->ended ? keep(dir, scratch + done, (size_t)n - done) : r;
}

/* Moves what can be moved. FAILED if the pair must be closed. */
static enum progress pump(struct pair *p, int d) {
    struct direction *dir = &p->dir[d];
    enum progress r = dir->stash ? flush_stash(p, d) : MORE;
    for (int round = 0; r == MORE && !dir->eof && round < ROUNDS; round++) {
        r = move_some(p, d);
    }
    if (r != FAILED && dir->eof && !dir->stash && !dir->ended) {
        dir->ended = true;
        shutdown(p->end[!d].fd, SHUT_WR);
        check_closed(p, d);
    }
    return r;
}

static uint32_t interest(const struct pair *p, int e) {
    const struct direction *in = &p->dir[e], *out = &p->dir[!e];
    uint32_t events = in->eof || in->stash ? EPOLLET | EPOLLRDHUP : EPOLLIN;
    return out->stash ? events | EPOLLOUT : events;
}

static void settle(struct pair *p, enum progress r) {
    if (r == FAILED || (p->dir[0].ended && p->dir[1].ended)) {
        close_pair(p);
    } else {
        loop_set(&p->end[0], interest(p, 0));
        loop_set(&p->end[1], interest(p, 1));
    }
}

static void on_ready(struct pair *p, int e, uint32_t events) {
    if (p->end[1].fd < 0) {
        return; /* still waiting for the Engine: whatever it is, reading will tell */
    }
    bool read_now = !p->dir[e].eof && !p->dir[e].stash;
    enum progress r = MORE;
    if (events & EPOLLOUT) {
        r = pump(p, !e);
    }
    if (r != FAILED && read_now) {
        r = pump(p, e);
    } else if (r != FAILED && (events & EPOLLERR)) {
        r = FAILED;
    } else if (r != FAILED && p->dir[e].eof && (events & (EPOLLRDHUP | EPOLLHUP))) {
        check_closed(p, e);
    }
    settle(p, r);
}

static void on_stream_ready(struct watch *w, uint32_t events) {
    on_ready((struct pair *)((char *)w - offsetof(struct pair, end[0])), 0, events);
}

static void on_engine_ready(struct watch *w, uint32_t events) {
    on_ready((struct pair *)((char *)w - offsetof(struct pair, end[1])), 1, events);
}

/* 0 connected, 1 no room now (its backlog, or descriptors here), -1 not there. */
static int connect_engine(struct pair *p) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno == EMFILE || errno == ENFILE ? 1 : -1;
    }
    snprintf(a.sun_path, sizeof a.sun_path, "%s", host_engine_socket());
    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        int e = errno;
        close(fd);
        return e == EAGAIN || e == EINTR ? 1 : -1;
    }
    if (loop_add(&p->end[1], fd, EPOLLIN, on_engine_ready) < 0) {
        loop_close(&p->end[1]);
        return -1;
    }
    return 0;
}

static bool start(struct pair *p) {
    int r = connect_engine(p);
    if (r == 0) {
        loop_set(&p->end[0], EPOLLIN);
    } else if (r < 0 || now_ms() >= p->give_up_ms) {
        close_pair(p);
    } else {
        return false;
    }
    return true;
}

void relay_open(int stream) {
    struct pair *p = calloc(1, sizeof *p);
    if (!p) {
        close(stream);
        return;
    }
    p->end[1].fd = -1;
    p->give_up_ms = now_ms() + CONNECT_MS;
    if (loop_add(&p->end[0], stream, EPOLLET, on_stream_ready) < 0) {
        close_pair(p);
    } else if (!start(p)) {
        p->next_waiting = waiting;
        waiting = p;
        loop_want_tick();
    }
}

void relay_dial(int caller, unsigned port, const char *first, size_t len) {
    struct pair *p = calloc(1, sizeof *p);
    int stream = p ? transport_connect(port) : -1;
    if (stream < 0) {
        free(p);
        close(caller);
        return;
    }
    p->end[0].fd = stream;
    p->end[1].fd = caller;
    /* A stream that is still being connected becomes writable, or fails: the stash waits for it like for a slow reader. */
    if (keep(&p->dir[1], first, len) == FAILED || loop_add(&p->end[0], stream, interest(p, 0), on_stream_ready) < 0
        || loop_add(&p->end[1], caller, interest(p, 1), on_engine_ready) < 0) {
        close_pair(p);
    }
}

bool relay_retry(void) {
    struct pair **at = &waiting;
    while (*at) {
        struct pair *p = *at;
        if (p->closed || start(p)) {
            *at = p->next_waiting;
        } else {
            at = &p->next_waiting;
        }
    }
    return waiting != NULL;
}

bool relay_freed(void) {
    bool was = freed;
    freed = false;
    return was;
}
