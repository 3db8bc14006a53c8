/*
 * Theory of operation.
 *
 * The daemon says which sockets there shall be (`socket <name> <file>` on the control port). Each caller gets a vsock stream
 * to the daemon's PORT_HOST_SOCKET, whose first line is `KEY <key> SOCKET <name>`; from then on it is a relay like any other.
 * The key keeps out containers that may open AF_VSOCK sockets and were given no host socket: they haven't seen it.
 *
 * Everybody in the guest may connect (mode 0666), because a container sees a socket only if it was mounted into it, and its
 * user need not be root.
 */
#include "sockets.h"

#include "agent.h"
#include "loop.h"
#include "relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_SOCKETS 256
#define MAX_NAME 32
#define BACKLOG 128
#define ACCEPT_ROUNDS 16

struct host_socket {
    struct watch listener; /* first: a watch is its socket */
    bool used;
    bool paused; /* out of descriptors: the backlog holds the callers */
    char name[MAX_NAME];
    struct sockaddr_un address;
};

static struct host_socket sockets[MAX_SOCKETS];

static bool is_word(const char *text, size_t max) {
    size_t len = strlen(text);
    return len > 0 && len < max && text[0] != '.'
           && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len;
}

static struct host_socket *find(const char *name) {
    struct host_socket *unused = NULL;
    for (size_t i = 0; i < MAX_SOCKETS; i++) {
        if (sockets[i].used && strcmp(sockets[i].name, name) == 0) {
            return &sockets[i];
        }
        if (!sockets[i].used && !unused) {
            unused = &sockets[i];
        }
    }
    return unused;
}

static void forward(struct host_socket *s, int caller) {
    char key[KEY_DIGITS + 1], line[LINE_BYTES];
    if (host_read_key(key) < 0) {
        close(caller);
        return;
    }
    int n = snprintf(line, sizeof line, "KEY %s SOCKET %s\n", key, s->name);
    relay_dial(caller, PORT_HOST_SOCKET, line, (size_t)n);
}

static void on_caller(struct watch *w, uint32_t events) {
    (void)events;
    struct host_socket *s = (struct host_socket *)w;
    for (int i = 0; i < ACCEPT_ROUNDS; i++) {
        int caller = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (caller >= 0) {
            forward(s, caller);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            s->paused = true;
            loop_set(w, 0);
            loop_want_tick();
            return;
        } else {
            return;
        }
    }
}

const char *sockets_open(const char *name, const char *file) {
    if (!is_word(name, MAX_NAME) || !is_word(file, MAX_NAME)) {
        return "bad name";
    }
    struct host_socket *s = find(name);
    if (!s) {
        return "too many sockets";
    }
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int n = snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", host_services(), file);
    if (n < 0 || (size_t)n >= sizeof a.sun_path) {
        return "path too long";
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return strerror(errno);
    }
    unlink(a.sun_path);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || chmod(a.sun_path, 0666) < 0 || listen(fd, BACKLOG) < 0) {
        int e = errno;
        close(fd);
        return strerror(e);
    }
    if (s->used) {
        loop_close(&s->listener);
    }
    if (loop_add(&s->listener, fd, EPOLLIN, on_caller) < 0) {
        int e = errno;
        loop_close(&s->listener);
        s->used = false;
        return strerror(e);
    }
    s->used = true;
    s->paused = false;
    s->address = a;
    snprintf(s->name, sizeof s->name, "%s", name);
    return NULL;
}

bool sockets_close(const char *name) {
    struct host_socket *s = find(name);
    if (!s || !s->used) {
        return false;
    }
    unlink(s->address.sun_path);
    loop_close(&s->listener);
    s->used = false;
    return true;
}

bool sockets_tick(void) {
    bool any = false;
    for (size_t i = 0; i < MAX_SOCKETS; i++) {
        if (sockets[i].used && sockets[i].paused) {
            sockets[i].paused = false; /* if it is still so, accept says it again */
            loop_set(&sockets[i].listener, EPOLLIN);
            any = true;
        }
    }
    return any;
}
