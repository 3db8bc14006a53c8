/*
 * The load that iperf3 has no mode for. One program for both ends, static, so that it runs in any guest.
 *
 *   netload serve PORT            echoes each byte it gets on each connection; says "ready" when it listens
 *   netload reach ADDR PORT MS    exit status 0 once a connection succeeds, tried for MS milliseconds
 *   netload rr ADDR PORT MS       one connection, one byte there and back, again and again
 *   netload crr ADDR PORT MS      the same with a connection for each byte
 *   netload idle ADDR PORT COUNT  opens COUNT connections, says how many, holds them until standard input ends
 *
 * rr and crr print one line of JSON: count, rate (1/s), p50, p99 and max (microseconds).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_SAMPLES (4 << 20)

static struct sockaddr_storage peer;
static socklen_t peer_bytes;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void resolve(const char *address, const char *port) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)atoi(port));
        peer_bytes = sizeof *v4;
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)atoi(port));
        peer_bytes = sizeof *v6;
    } else {
        fprintf(stderr, "not an address: %s\n", address);
        exit(2);
    }
}

static int try_open(void) {
    int s = socket(peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (s < 0) fail("socket");
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s, (struct sockaddr *)&peer, peer_bytes) == 0) return s;
    int why = errno;
    close(s);
    errno = why;
    return -1;
}

static int open_or_fail(void) {
    int s = try_open();
    if (s < 0) fail("connect");
    return s;
}

static void one_byte(int s) {
    char c = 'x';
    if (send(s, &c, 1, MSG_NOSIGNAL) != 1) fail("send");
    if (recv(s, &c, 1, 0) != 1) fail("recv");
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void transactions(int ms, int connect_each) {
    uint32_t *took = malloc(sizeof *took * MAX_SAMPLES);
    uint64_t start = now_ns(), end = start + (uint64_t)ms * 1000000u, t = start;
    int s = connect_each ? -1 : open_or_fail();
    size_t n = 0;
    while (t < end && n < MAX_SAMPLES) {
        if (connect_each) s = open_or_fail();
        one_byte(s);
        if (connect_each) close(s);
        uint64_t u = now_ns();
        took[n++] = (uint32_t)(u - t);
        t = u;
    }
    qsort(took, n, sizeof *took, by_size);
    printf("{\"count\":%zu,\"rate\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}\n", n, (double)n * 1e9 / (double)(t - start),
           took[n / 2] / 1e3, took[n * 99 / 100] / 1e3, took[n - 1] / 1e3);
}

static void raise_limit(void) {
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

static void idle(int count) {
    raise_limit();
    int opened = 0;
    while (opened < count && try_open() >= 0) opened++;
    printf("{\"opened\":%d}\n", opened);
    fflush(stdout);
    char c;
    while (read(0, &c, 1) > 0) {
    }
}

static void serve(int port) {
    raise_limit();
    int l = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, off = 0;
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(l, (struct sockaddr *)&any, sizeof any) || listen(l, 4096)) fail("listen");
    int e = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event want = {.events = EPOLLIN, .data.fd = l}, got[256];
    epoll_ctl(e, EPOLL_CTL_ADD, l, &want);
    puts("ready");
    fflush(stdout);
    char buffer[4096];
    for (;;) {
        int n = epoll_wait(e, got, 256, -1);
        for (int i = 0; i < n; i++) {
            int s = got[i].data.fd;
            if (s == l) {
                while ((s = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    want.data.fd = s;
                    epoll_ctl(e, EPOLL_CTL_ADD, s, &want);
                }
                continue;
            }
            ssize_t r = recv(s, buffer, sizeof buffer, 0);
            if (r <= 0 && errno != EAGAIN) {
                close(s);
            } else if (r == 0) {
                close(s);
            } else if (r > 0 && send(s, buffer, (size_t)r, MSG_NOSIGNAL) != r) {
                close(s);
            }
        }
    }
}

int main(int c, char **v) {
    if (c == 3 && !strcmp(v[1], "serve")) {
        serve(atoi(v[2]));
    }
    if (c != 5) {
        fprintf(stderr, "see the comment at the top of netload.c\n");
        return 2;
    }
    resolve(v[2], v[3]);
    int n = atoi(v[4]);
    if (!strcmp(v[1], "rr") || !strcmp(v[1], "crr")) {
        transactions(n, v[1][0] == 'c');
    } else if (!strcmp(v[1], "idle")) {
        idle(n);
    } else if (!strcmp(v[1], "reach")) {
        uint64_t end = now_ns() + (uint64_t)n * 1000000u;
        while (try_open() < 0) {
            if (now_ns() > end) return 1;
            struct timespec pause = {0, 20000000};
            nanosleep(&pause, NULL);
        }
    } else {
        return 2;
    }
    return 0;
}
