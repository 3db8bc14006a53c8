/*
 * `longshore-agent serve`: the guest's end of the daemon's vsock streams. Only the daemon may call; streams from anywhere
 * else, such as a container that opens AF_VSOCK to the guest's own address, are closed unread.
 */
#include "agent.h"
#include "control.h"
#include "loop.h"
#include "relay.h"
#include "sockets.h"
#include "transport.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAX_FILES 65536
/* Connections accepted from one listener before anything else gets its turn. */
#define ACCEPT_ROUNDS 64

struct service {
    struct watch listener;
    unsigned port;
    void (*open)(int stream);
};

static struct service services[] = {
    {.port = PORT_DOCKER_API, .open = relay_open},
    {.port = PORT_GUEST_CONTROL, .open = control_open},
};

#define SERVICES (sizeof services / sizeof services[0])

/* No descriptors or memory: the backlog holds the callers until there are again. */
static bool accept_paused;

static void pause_accept(void) {
    accept_paused = true;
    for (size_t i = 0; i < SERVICES; i++) {
        loop_set(&services[i].listener, 0);
    }
    loop_want_tick();
}

static void resume_accept(void) {
    accept_paused = false;
    for (size_t i = 0; i < SERVICES; i++) {
        loop_set(&services[i].listener, EPOLLIN);
    }
}

static bool is_shortage(int e) {
    return e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM;
}

static void on_caller(struct watch *w, uint32_t events) {
    (void)events;
    struct service *s = (struct service *)w; /* its first member */
    for (int i = 0; i < ACCEPT_ROUNDS; i++) {
        bool from_daemon;
        int stream = transport_accept(w->fd, &from_daemon);
        if (stream < 0) {
            if (is_shortage(errno)) {
                pause_accept();
            }
            return;
        }
        if (from_daemon) {
            s->open(stream);
        } else {
            close(stream);
        }
    }
}

/* Every 20 ms while something waits. */
static void on_tick(void) {
    bool freed = relay_freed();
    bool waiting = relay_retry();
    if (sockets_tick() || waiting) {
        loop_want_tick();
    }
    if (accept_paused) {
        /* Also without a relay ended: the shortage may have been the system's. Then accept() says so again. */
        static int ticks;
        if (freed || ++ticks % 10 == 0) {
            resume_accept();
        } else {
            loop_want_tick();
        }
    }
}

static void raise_file_limit(void) {
    struct rlimit limit = {.rlim_cur = MAX_FILES, .rlim_max = MAX_FILES};
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
        return;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) { /* not root */
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int serve_main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) {
        fprintf(stderr, "usage: longshore-agent serve\n");
        return 2;
    }
    raise_file_limit();
    signal(SIGCHLD, SIG_IGN); /* no zombie of a power-off that failed */
    if (loop_open() < 0) {
        perror("longshore-agent: epoll");
        return 1;
    }
    for (size_t i = 0; i < SERVICES; i++) {
        int fd = transport_listen(services[i].port);
        if (fd < 0 || loop_add(&services[i].listener, fd, EPOLLIN, on_caller) < 0) {
            fprintf(stderr, "longshore-agent: vsock port %u: %s\n", services[i].port, strerror(errno));
            return 1;
        }
    }
    fprintf(stderr, "longshore-agent %s: serving\n", AGENT_VERSION);
    loop_run(on_tick);
    perror("longshore-agent: epoll_wait");
    return 1;
}
