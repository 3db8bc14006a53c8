/*
 * Lines of at most LINE_BYTES, LF or CRLF; several on one connection are answered in order:
 *
 *   ping                    ok <agent version>
 *   time <unix-nanoseconds> ok              after setting the wall clock
 *   key <32 hex digits>      ok              after keeping it for docker-proxy
 *   authorities             then `| <line>` for each line of a file of certificates (PEM), each without an answer, and
 *   authorities end         ok              after it has taken the place of the former one
 *   socket <name> <file>     ok              after listening at HOST_SERVICES/<file> for callers of the host's socket <name>
 *   nosocket <name>          ok              after listening there no more
 *   hostnet <host's IPv4> <IPv6 or ->  ok   then `+ <tcp|udp> <address> <port>[ dual]` for each listener of the guest's network,
 *                                           `-` when it goes, until the session ends: see hostnet.c
 *   host <+|-> <tcp|udp> <port>             in such a session, without an answer: the host serves that port, or no more
 *   fileevents              ok              then a line for each file of the host that has changed, until the session ends: see events.c
 *   engine <word>           ok              after the image's program for the Engine has done it: live-on, live-off, restart
 *   poweroff                ok              then the guest shuts down
 *   anything else           err <reason>
 *
 * Answers are shorter than any socket buffer, so they are written without waiting; a caller that reads so little that its
 * answer doesn't fit is dropped.
 */
#include "control.h"

#include "agent.h"
#include "events.h"
#include "hostnet.h"
#include "loop.h"
#include "sockets.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* 2020-01-01: a clock before that is a mistake, not a wish. */
#define MIN_UNIX_NANOS INT64_C(1577836800000000000)

struct session {
    struct garbage garbage; /* first, so that freeing it frees the session */
    struct watch watch;
    size_t len;
    char line[LINE_BYTES];
    int authorities; /* a file that is being written, or -1 */
    size_t authorities_bytes;
    int authorities_error; /* an errno, or 0 */
};

static struct session *of(struct watch *w) {
    return (struct session *)((char *)w - offsetof(struct session, watch));
}

static void end(struct session *s) {
    hostnet_end(s->watch.fd);
    if (s->authorities >= 0) {
        close(s->authorities);
    }
    loop_close(&s->watch);
    loop_free_later(&s->garbage);
}

static bool answer(struct session *s, const char *text) {
    char line[LINE_BYTES];
    int n = snprintf(line, sizeof line, "%s\n", text);
    return send(s->watch.fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n;
}

/* In a process of its own, so that a power-off that takes its time, or fails, doesn't stop the relays. */
static void power_off(void) {
    static bool started;
    if (started) {
        return;
    }
    pid_t pid = fork();
    if (pid < 0) {
        perror("longshore-agent: poweroff: fork");
        return;
    }
    if (pid == 0) {
        signal(SIGCHLD, SIG_DFL);
        signal(SIGPIPE, SIG_DFL);
        setsid();
        host_exec_poweroff();
        perror("longshore-agent: poweroff");
        _exit(127);
    }
    started = true;
}

/*
 * The program may take half a minute, so it runs in a process of its own, which answers; the session is that process's alone then.
 * Always false: over for us.
 */
static bool engine(struct session *s, const char *word) {
    if (strcmp(word, "live-on") != 0 && strcmp(word, "live-off") != 0 && strcmp(word, "restart") != 0) {
        return answer(s, "err bad word");
    }
    pid_t pid = fork();
    if (pid < 0) {
        return answer(s, "err can't fork");
    }
    if (pid > 0) {
        return false;
    }
    dup2(s->watch.fd, 3); /* neither relays nor the other sessions are to last as long as this */
    close_range(4, ~0U, 0);
    s->watch.fd = 3;
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    int status = -1;
    pid_t program = fork();
    if (program == 0) {
        close(3);
        host_exec_engine(word);
        perror("longshore-agent: engine");
        _exit(127);
    }
    bool done = program > 0 && waitpid(program, &status, 0) == program && status == 0;
    answer(s, done ? "ok" : "err the guest's program for it failed");
    _exit(0);
}

static bool set_time(struct session *s, const char *nanos) {
    int64_t value;
    char text[128];
    if (!parse_decimal(nanos, MIN_UNIX_NANOS, INT64_MAX, &value)) {
        return answer(s, "err bad time");
    }
    if (host_set_clock(value) < 0) {
        snprintf(text, sizeof text, "err can't set the clock: %s", strerror(errno));
        return answer(s, text);
    }
    return answer(s, "ok");
}

static bool keep_key(struct session *s, const char *key) {
    char text[128];
    if (strlen(key) != KEY_DIGITS || strspn(key, "0123456789abcdef") != KEY_DIGITS) {
        return answer(s, "err bad key");
    }
    if (host_keep_key(key) < 0) {
        snprintf(text, sizeof text, "err can't keep the key: %s", strerror(errno));
        return answer(s, text);
    }
    return answer(s, "ok");
}

static void begin_authorities(struct session *s) {
    if (s->authorities >= 0) {
        close(s->authorities);
    }
    s->authorities = host_authorities_begin();
    s->authorities_error = s->authorities < 0 ? errno : 0;
    s->authorities_bytes = 0;
}

/* What goes wrong is told at the end. */
static void add_authority_line(struct session *s, const char *text) {
    char line[LINE_BYTES];
    int n = snprintf(line, sizeof line, "%s\n", text);
    s->authorities_bytes += (size_t)n;
    if (s->authorities < 0 || s->authorities_error) {
        return;
    }
    if (s->authorities_bytes > AUTHORITIES_BYTES) {
        s->authorities_error = EFBIG;
    } else if (write(s->authorities, line, (size_t)n) != n) {
        s->authorities_error = ENOSPC;
    }
}

static bool end_authorities(struct session *s) {
    char text[128];
    int problem = s->authorities < 0 && !s->authorities_error ? EINVAL : s->authorities_error;
    if (!problem && host_authorities_end(s->authorities) < 0) {
        problem = errno;
    } else if (problem && s->authorities >= 0) {
        close(s->authorities);
    }
    s->authorities = -1;
    s->authorities_error = 0;
    if (problem) {
        snprintf(text, sizeof text, "err can't keep the authorities: %s", strerror(problem));
        return answer(s, text);
    }
    return answer(s, "ok");
}

/* `ok` if there is none and an answer is expected. */
static bool answer_problem(struct session *s, const char *problem, bool expected) {
    char text[128];
    if (!problem) {
        return !expected || answer(s, "ok");
    }
    snprintf(text, sizeof text, "err %s", problem);
    return answer(s, text);
}

static bool open_socket(struct session *s, const char *words) {
    char name[LINE_BYTES], text[128];
    const char *blank = strchr(words, ' ');
    if (!blank) {
        return answer(s, "err bad name");
    }
    snprintf(name, sizeof name, "%.*s", (int)(blank - words), words);
    const char *problem = sockets_open(name, blank + 1);
    if (problem) {
        snprintf(text, sizeof text, "err can't listen: %s", problem);
        return answer(s, text);
    }
    return answer(s, "ok");
}

/* False if the session is over. */
static bool on_line(struct session *s, const char *line) {
    if (strcmp(line, "ping") == 0) {
        return answer(s, "ok " AGENT_VERSION);
    }
    if (strncmp(line, "time ", 5) == 0) {
        return set_time(s, line + 5);
    }
    if (strncmp(line, "key ", 4) == 0) {
        return keep_key(s, line + 4);
    }
    if (strcmp(line, "authorities") == 0) {
        begin_authorities(s);
        return true;
    }
    if (strncmp(line, "| ", 2) == 0) {
        add_authority_line(s, line + 2);
        return true;
    }
    if (strcmp(line, "authorities end") == 0) {
        return end_authorities(s);
    }
    if (strncmp(line, "socket ", 7) == 0) {
        return open_socket(s, line + 7);
    }
    if (strncmp(line, "nosocket ", 9) == 0) {
        return answer(s, sockets_close(line + 9) ? "ok" : "err no such socket");
    }
    if (strncmp(line, "hostnet ", 8) == 0) {
        return answer_problem(s, hostnet_begin(s->watch.fd, line + 8), true);
    }
    if (strncmp(line, "host ", 5) == 0) {
        return answer_problem(s, hostnet_host_port(s->watch.fd, line + 5), false);
    }
    if (strcmp(line, "fileevents") == 0) {
        int problem = events_begin(s->watch.fd);
        return problem && answer_problem(s, strerror(problem), true);
    }
    if (strncmp(line, "engine ", 7) == 0) {
        return engine(s, line + 7);
    }
    if (strcmp(line, "poweroff") == 0) {
        bool sent = answer(s, "ok");
        power_off();
        return sent;
    }
    return answer(s, "err unknown command");
}

/* Answers every complete line in the buffer. False if the session is over. */
static bool take_lines(struct session *s) {
    size_t at = 0;
    char *lf;
    while ((lf = memchr(s->line + at, '\n', s->len - at)) != NULL) {
        char *line = s->line + at;
        at = (size_t)(lf - s->line) + 1;
        *lf = '\0';
        if (lf > line && lf[-1] == '\r') {
            lf[-1] = '\0';
        }
        if (!on_line(s, line)) {
            return false;
        }
    }
    memmove(s->line, s->line + at, s->len - at);
    s->len -= at;
    if (s->len == sizeof s->line) {
        answer(s, "err line too long");
        return false;
    }
    return true;
}

static void on_ready(struct watch *w, uint32_t events) {
    (void)events;
    struct session *s = of(w);
    ssize_t n = recv(w->fd, s->line + s->len, sizeof s->line - s->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        end(s);
        return;
    }
    s->len += (size_t)n;
    if (!take_lines(s)) {
        end(s);
    }
}

void control_open(int stream) {
    struct session *s = calloc(1, sizeof *s);
    if (s) {
        s->authorities = -1;
    }
    if (!s) {
        close(stream);
    } else if (loop_add(&s->watch, stream, EPOLLIN, on_ready) < 0) {
        end(s);
    }
}
