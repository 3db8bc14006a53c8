/*
 * dockerd's userland proxy (daemon.json: userland-proxy-path), one process per published port and family. It binds nothing
 * itself: it asks the daemon to, reports the outcome to dockerd, and holds the connection that keeps the port open.
 *
 * Contract with dockerd 20.10 to 29: flags with one dash, unknown ones to be ignored; descriptor 3 takes `0\n`, or `1\n` and
 * the text for the user, within 16 s; SIGINT means stop, and dockerd waits for the exit. From 28 on, -use-listen-fd says
 * that descriptor 4 is a socket bound inside the guest; nobody would serve it here, so it is closed.
 *
 * Contract with the daemon: `KEY <key> EXPOSE <tcp|udp> <host-ip> <host-port> <container-ip> <container-port>\n`, answered by
 * `OK <host-ip> <host-port>\n` or `ERR <text>\n`. The key is the one that the daemon gave `longshore-agent serve`. The port is released when the connection ends, whoever ends it. To stop,
 * this side shuts down its sending half and waits until the daemon closes, so that the port is free when `docker rm` returns.
 * `GONE\n` from the daemon, which has closed the port already, ends the process.
 */
#include "agent.h"
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATUS_FD 3
#define LISTEN_FD 4

/* dockerd gives up after 16 s. The tests build with smaller numbers. */
#ifndef ANSWER_MS
#define ANSWER_MS 12000
#endif
/* The daemon listens as long as there is a guest, so a refused connection is retried only shortly. */
#ifndef CONNECT_RETRY_MS
#define CONNECT_RETRY_MS 3000
#endif
#define RELEASE_MS 2000
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 5000

struct request {
    const char *proto, *host_ip, *container_ip;
    int64_t host_port, container_port;
    bool use_listen_fd;
};

/* ---- flags ---- */

struct flag_values {
    const char *proto, *host_ip, *host_port, *container_ip, *container_port;
};

static const char **value_of(struct flag_values *v, const char *name, size_t len) {
    static const char *const NAMES[] = {"proto", "host-ip", "host-port", "container-ip", "container-port"};
    const char **fields[] = {&v->proto, &v->host_ip, &v->host_port, &v->container_ip, &v->container_port};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strlen(NAMES[i]) == len && strncmp(NAMES[i], name, len) == 0) {
            return fields[i];
        }
    }
    return NULL;
}

static bool is_false(const char *text) {
    return strcasecmp(text, "false") == 0 || strcasecmp(text, "f") == 0 || strcmp(text, "0") == 0;
}

static bool is_flag(const char *arg, const char *name) {
    arg += *arg == '-';
    arg += *arg == '-';
    return strcmp(arg, name) == 0;
}

/* One or two dashes; `-name value` or `-name=value`. Whatever else there is, with or without a value, is passed over: what
 * has no dash can only be the value of a flag not known here. False with `error` set if a value is missing. */
static bool scan_flags(int argc, char **argv, struct flag_values *v, bool *use_listen_fd, char *error, size_t size) {
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (*name != '-') {
            continue;
        }
        name += name[1] == '-' ? 2 : 1;
        const char *equals = strchr(name, '=');
        size_t len = equals ? (size_t)(equals - name) : strlen(name);
        const char **field = value_of(v, name, len);
        if (field && equals) {
            *field = equals + 1;
        } else if (field && i + 1 < argc && *argv[i + 1] != '-') {
            *field = argv[++i];
        } else if (field) {
            snprintf(error, size, "docker-proxy: flag needs an argument: -%.*s", (int)len, name);
            return false;
        } else if (len == strlen("use-listen-fd") && strncmp(name, "use-listen-fd", len) == 0) {
            *use_listen_fd = !equals || !is_false(equals + 1);
        }
    }
    return true;
}

static bool is_address(const char *text) {
    struct in6_addr a;
    return inet_pton(AF_INET, text, &a) == 1 || inet_pton(AF_INET6, text, &a) == 1;
}

static bool complain(char *error, size_t size, const char *flag, const char *value) {
    char shown[64];
    copy_printable(shown, sizeof shown, value ? value : "");
    snprintf(error, size, "docker-proxy: invalid value \"%s\" for flag -%s", shown, flag);
    return false;
}

static bool check_flags(const struct flag_values *v, struct request *q, char *error, size_t size) {
    q->proto = v->proto ? v->proto : "tcp";
    q->host_ip = v->host_ip;
    q->container_ip = v->container_ip;
    if (strcmp(q->proto, "sctp") == 0) {
        snprintf(error, size, "ports are not available: SCTP ports can't be published on the host, only TCP and UDP");
        return false;
    }
    if (strcmp(q->proto, "tcp") != 0 && strcmp(q->proto, "udp") != 0) {
        return complain(error, size, "proto", q->proto);
    }
    if (!q->host_ip || !is_address(q->host_ip)) {
        return complain(error, size, "host-ip", q->host_ip);
    }
    if (!v->host_port || !parse_decimal(v->host_port, 0, 65535, &q->host_port)) {
        return complain(error, size, "host-port", v->host_port);
    }
    if (!q->container_ip || !is_address(q->container_ip)) {
        return complain(error, size, "container-ip", q->container_ip);
    }
    if (!v->container_port || !parse_decimal(v->container_port, 1, 65535, &q->container_port)) {
        return complain(error, size, "container-port", v->container_port);
    }
    return true;
}

static bool parse_flags(int argc, char **argv, struct request *q, char *error, size_t size) {
    struct flag_values v = {0};
    return scan_flags(argc, argv, &v, &q->use_listen_fd, error, size) && check_flags(&v, q, error, size);
}

/* ---- descriptor 3 ---- */

/* dockerd's pipe, or -1 if the program was started by hand. Asked before any descriptor is opened here. */
static int find_status_pipe(void) {
    int flags = fcntl(STATUS_FD, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
        return -1;
    }
    fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC);
    return STATUS_FD;
}

/* One write: dockerd reads two bytes, then the rest up to the end of file. */
static void report(int status_fd, const char *error) {
    char text[LINE_BYTES + 2];
    int n = error ? snprintf(text, sizeof text, "1\n%s", error) : snprintf(text, sizeof text, "0\n");
    if (status_fd >= 0) {
        if (write(status_fd, text, (size_t)n) != n) {
            perror("docker-proxy: status");
        }
        close(status_fd);
    } else if (error) {
        fprintf(stderr, "%s\n", error);
    }
}

/* ---- waiting ---- */

enum wait_result { READY, TIMED_OUT, STOPPED };

/* Waits for `fd` (or only for time, if it is -1) until `deadline`, or until a signal says stop. */
static enum wait_result wait_for(int fd, short events, int64_t deadline, int signals) {
    for (;;) {
        struct pollfd p[2] = {{.fd = signals, .events = POLLIN}, {.fd = fd, .events = events}};
        int64_t left = deadline - now_ms();
        int n = poll(p, 2, left < 0 ? 0 : left > 1000000 ? 1000000 : (int)left);
        if (n > 0 && p[0].revents) {
            return STOPPED;
        }
        if (n > 0 && p[1].revents) {
            return READY;
        }
        if (n == 0 && now_ms() >= deadline) {
            return TIMED_OUT;
        }
    }
}

/* ---- the daemon ---- */

enum lease_result { HELD, REFUSED, UNREACHABLE, CANCELLED };

struct lease {
    int fd;
    char error[LINE_BYTES]; /* of REFUSED and UNREACHABLE */
};

static enum lease_result unreachable(struct lease *l, const char *what, int e) {
    snprintf(l->error, sizeof l->error, "ports are not available: the Longshore daemon on the host %s%s%s", what, e ? ": " : "",
             e ? strerror(e) : "");
    return UNREACHABLE;
}

/* Not a daemon of this protocol: asking again would not help. */
static enum lease_result misunderstood(struct lease *l) {
    unreachable(l, "sent an answer that is not understood", 0);
    return REFUSED;
}

static enum lease_result send_request(struct lease *l, const char *key, const struct request *q, int64_t deadline,
                                      int signals) {
    char line[LINE_BYTES];
    int len = snprintf(line, sizeof line, "KEY %s EXPOSE %s %s %lld %s %lld\n", key, q->proto, q->host_ip, (long long)q->host_port,
                       q->container_ip, (long long)q->container_port);
    enum wait_result w = wait_for(l->fd, POLLOUT, deadline, signals);
    if (w != READY) {
        return w == STOPPED ? CANCELLED : unreachable(l, "doesn't answer", 0);
    }
    int e = 0;
    socklen_t size = sizeof e;
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &e, &size) < 0 || e != 0) {
        return unreachable(l, "can't be reached", e ? e : errno);
    }
    /* Shorter than any socket buffer. */
    return send(l->fd, line, (size_t)len, MSG_NOSIGNAL) == len ? HELD : unreachable(l, "can't be reached", errno);
}

/* Reads one byte at a time: what follows the line isn't expected, and lines are short. */
static enum lease_result read_answer(struct lease *l, char *line, size_t size, int64_t deadline, int signals) {
    size_t n = 0;
    for (;;) {
        enum wait_result w = wait_for(l->fd, POLLIN, deadline, signals);
        if (w != READY) {
            return w == STOPPED ? CANCELLED : unreachable(l, "doesn't answer", 0);
        }
        ssize_t r = recv(l->fd, line + n, 1, 0);
        if (r < 0 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        if (r <= 0) {
            return unreachable(l, "closed the connection", r < 0 ? errno : 0);
        }
        if (line[n] == '\n') {
            line[n] = '\0';
            return HELD;
        }
        if (++n == size) {
            return misunderstood(l);
        }
    }
}

/* `OK <ip> <port>`: the port is remembered, so that a port chosen by the host is the same after a reconnection. */
static enum lease_result take_answer(struct lease *l, struct request *q, char *line) {
    if (strncmp(line, "ERR ", 4) == 0) {
        copy_printable(l->error, sizeof l->error, line + 4);
        return REFUSED;
    }
    char *port = strrchr(line, ' ');
    int64_t value;
    if (strncmp(line, "OK ", 3) != 0 || !parse_decimal(port + 1, 1, 65535, &value)) {
        return misunderstood(l);
    }
    q->host_port = value;
    return HELD;
}

static enum lease_result acquire(struct lease *l, struct request *q, int64_t deadline, int signals) {
    char line[LINE_BYTES], key[KEY_DIGITS + 1];
    if (host_read_key(key) < 0) { /* the daemon sends it when the guest has booted */
        return unreachable(l, "hasn't sent this guest's key", errno);
    }
    l->fd = transport_connect(PORT_PUBLISH);
    if (l->fd < 0) {
        return unreachable(l, "can't be reached", errno);
    }
    enum lease_result r = send_request(l, key, q, deadline, signals);
    if (r == HELD) {
        r = read_answer(l, line, sizeof line, deadline, signals);
    }
    if (r == HELD) {
        r = take_answer(l, q, line);
    }
    if (r != HELD) {
        close(l->fd);
        l->fd = -1;
    }
    return r;
}

static enum lease_result acquire_first(struct lease *l, struct request *q, int signals) {
    int64_t start = now_ms();
    for (;;) {
        enum lease_result r = acquire(l, q, start + ANSWER_MS, signals);
        if (r != UNREACHABLE || now_ms() > start + CONNECT_RETRY_MS) {
            return r;
        }
        if (wait_for(-1, 0, now_ms() + 4 * BACKOFF_MIN_MS, signals) == STOPPED) {
            return CANCELLED;
        }
    }
}

/* The daemon is gone, so the port is closed: asks for it again for as long as the container wants it. */
static enum lease_result acquire_again(struct lease *l, struct request *q, int signals) {
    int64_t backoff = BACKOFF_MIN_MS;
    char last[LINE_BYTES] = "";
    for (;;) {
        if (wait_for(-1, 0, now_ms() + backoff, signals) == STOPPED) {
            return CANCELLED;
        }
        enum lease_result r = acquire(l, q, now_ms() + ANSWER_MS, signals);
        if (r == HELD || r == CANCELLED) {
            return r;
        }
        if (strcmp(last, l->error) != 0) {
            fprintf(stderr, "docker-proxy: %s %s:%lld: %s; trying on\n", q->proto, q->host_ip, (long long)q->host_port, l->error);
            memcpy(last, l->error, sizeof last);
        }
        backoff = backoff * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : backoff * 2;
    }
}

/* Until the daemon closes (READY) or a signal says stop. All that the daemon may say meanwhile is GONE: no container wants this
 * port, so that this process was left behind and is to end (STOPPED, too). Anything else is skipped. */
static enum wait_result hold(int fd, int64_t deadline, int signals) {
    char said[256];
    for (;;) {
        enum wait_result w = wait_for(fd, POLLIN, deadline, signals);
        if (w != READY) {
            return w;
        }
        ssize_t n = recv(fd, said, sizeof said, 0);
        if (n >= 5 && memcmp(said, "GONE\n", 5) == 0) {
            return STOPPED;
        }
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return READY;
        }
    }
}

static void release(int fd) {
    shutdown(fd, SHUT_WR);
    hold(fd, now_ms() + RELEASE_MS, -1);
    close(fd);
}

/* ---- the process ---- */

static int open_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* No port outlives dockerd. It may have died before prctl(). */
static bool die_with_parent(void) {
    pid_t parent = getppid();
    return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent;
}

static bool wants_version(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (*argv[i] == '-' && (is_flag(argv[i], "v") || is_flag(argv[i], "version"))) {
            return true;
        }
    }
    return false;
}

static int run(struct request *q, int status_fd, int signals) {
    struct lease l = {.fd = -1};
    enum lease_result r = acquire_first(&l, q, signals);
    if (r != HELD) {
        report(status_fd, r == CANCELLED ? "docker-proxy: stopped before the host answered" : l.error);
        return 1;
    }
    report(status_fd, NULL);
    while (r == HELD) {
        if (hold(l.fd, INT64_MAX, signals) == STOPPED) {
            release(l.fd);
            return 0;
        }
        close(l.fd);
        r = acquire_again(&l, q, signals);
    }
    return 0;
}

int docker_proxy_main(int argc, char **argv) {
    if (wants_version(argc, argv)) {
        printf("docker-proxy (longshore-agent) %s\n", AGENT_VERSION);
        return 0;
    }
    char error[LINE_BYTES];
    struct request q = {0};
    int status_fd = find_status_pipe();
    bool ok = parse_flags(argc, argv, &q, error, sizeof error);
    if (q.use_listen_fd) {
        close(LISTEN_FD);
    }
    if (!ok) {
        report(status_fd, error);
        return 1;
    }
    int signals = open_signals();
    if (signals < 0) {
        report(status_fd, "docker-proxy: out of file descriptors");
        return 1;
    }
    if (!die_with_parent()) {
        return 1;
    }
    return run(&q, status_fd, signals);
}
