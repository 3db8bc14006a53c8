#include "transport.h"

#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

static int fail_closing(int fd) {
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

#ifndef AGENT_TEST

#include <linux/vm_sockets.h>

static struct sockaddr_vm address(unsigned cid, unsigned port) {
    struct sockaddr_vm a;
    memset(&a, 0, sizeof a);
    a.svm_family = AF_VSOCK;
    a.svm_cid = cid;
    a.svm_port = port;
    return a;
}

int transport_listen(unsigned port) {
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct sockaddr_vm a = address(VMADDR_CID_ANY, port);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, BACKLOG) < 0) {
        return fail_closing(fd);
    }
    return fd;
}

int transport_accept(int listener, bool *from_daemon) {
    struct sockaddr_vm a = address(VMADDR_CID_ANY, 0);
    socklen_t size = sizeof a;
    int fd = accept4(listener, (struct sockaddr *)&a, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    *from_daemon = fd >= 0 && size == sizeof a && a.svm_family == AF_VSOCK && a.svm_cid == HOST_CID;
    return fd;
}

int transport_connect(unsigned port) {
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct sockaddr_vm a = address(HOST_CID, port);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0 && errno != EINPROGRESS) {
        return fail_closing(fd);
    }
    return fd;
}

#else

#include <sys/un.h>

static const char *directory(void) {
    const char *dir = getenv("AGENT_TEST_DIR");
    return dir ? dir : ".";
}

static struct sockaddr_un address(unsigned port) {
    struct sockaddr_un a;
    memset(&a, 0, sizeof a);
    a.sun_family = AF_UNIX;
    int n = snprintf(a.sun_path, sizeof a.sun_path, "%s/%u", directory(), port);
    if (n < 0 || (size_t)n >= sizeof a.sun_path) {
        abort();
    }
    return a;
}

int transport_listen(unsigned port) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct sockaddr_un a = address(port);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, BACKLOG) < 0) {
        return fail_closing(fd);
    }
    return fd;
}

/* A file DIR/stranger makes every caller somebody else than the daemon. */
int transport_accept(int listener, bool *from_daemon) {
    char flag[256];
    snprintf(flag, sizeof flag, "%s/stranger", directory());
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    *from_daemon = fd >= 0 && access(flag, F_OK) != 0;
    return fd;
}

int transport_connect(unsigned port) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct sockaddr_un a = address(port);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        return fail_closing(fd);
    }
    return fd;
}

#endif
