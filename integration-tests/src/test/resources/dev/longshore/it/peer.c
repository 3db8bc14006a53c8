/*
 * peer: the other end of a test's connections, inside a container.
 *   peer udp-echo PORT                 sends every datagram back; prints "from ADDRESS:PORT" for each
 *   peer tcp-echo PORT                 sends everything back until EOF, one child a connection; prints who called
 *   peer parallel HOST PORT COUNT      opens COUNT connections, then reads a byte from each; prints how many had both
 *   peer connect HOST PORT             prints "connected" or the error, and the milliseconds it took
 *   peer receive HOST PORT             prints what comes until EOF
 *   peer send-random HOST PORT SEED N  sends N bytes of RandomData's generator, then prints what comes back
 *   peer udp-ask HOST PORT TEXT        sends TEXT as a datagram until an answer comes, and prints it
 *   peer half-close HOST PORT TEXT     sends TEXT, shuts its output down, prints what comes back until EOF
 *   peer unix PATH TEXT                the same to a Unix socket
 *   peer vsock CID PORT TEXT           the same over AF_VSOCK and with a line end behind TEXT; prints the step that failed, and why
 *   peer records DIRECTORY N           N processes write records to DIRECTORY/0 and on, with fsync, and print "PROCESS RECORD" once one is
 *                                      safe; every 20th as a file DIRECTORY/PROCESS-RECORD of its own, by rename. Until they are killed
 *   peer reaper                        what Testcontainers wants of Ryuk: takes filters on port 8080, and once nobody is connected
 *                                      any more removes the containers that they fit, by the Engine's socket
 *   peer watch PATH...                 says what inotify does of them and of directories made in them, and what files hold then
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static void die(const char *what) {
    fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int listener(int type, int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, fd = socket(AF_INET, type, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0) die("socket");
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0) die("bind");
    if (type == SOCK_STREAM && listen(fd, 512) < 0) die("listen");
    printf("ready\n");
    return fd;
}

static void print_from(const struct sockaddr_in *a) {
    printf("from %s:%d\n", inet_ntoa(a->sin_addr), ntohs(a->sin_port));
}

static void udp_echo(int port) {
    static char b[65536];
    int fd = listener(SOCK_DGRAM, port);
    for (;;) {
        struct sockaddr_in a;
        socklen_t len = sizeof a;
        ssize_t n = recvfrom(fd, b, sizeof b, 0, (struct sockaddr *)&a, &len);
        if (n < 0) die("recvfrom");
        print_from(&a);
        if (sendto(fd, b, n, 0, (struct sockaddr *)&a, len) < 0) perror("sendto");
    }
}

static void write_all(int fd, const char *b, ssize_t n) {
    while (n > 0) {
        ssize_t w = write(fd, b, n);
        if (w <= 0) die("write");
        b += w;
        n -= w;
    }
}

static void tcp_echo(int port) {
    static char b[65536];
    int fd = listener(SOCK_STREAM, port);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        struct sockaddr_in a;
        socklen_t len = sizeof a;
        int c = accept(fd, (struct sockaddr *)&a, &len);
        if (c < 0) die("accept");
        print_from(&a);
        if (fork() == 0) {
            ssize_t n;
            while ((n = read(c, b, sizeof b)) > 0) write_all(c, b, n);
            exit(0);
        }
        close(c);
    }
}

static struct sockaddr_in resolve(const char *host, const char *port) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    struct sockaddr_in a;
    int e = getaddrinfo(host, port, &hints, &found);
    if (e != 0) {
        fprintf(stderr, "peer: %s: %s\n", host, gai_strerror(e));
        exit(1);
    }
    memcpy(&a, found->ai_addr, sizeof a);
    freeaddrinfo(found);
    return a;
}

static int open_to(const struct sockaddr_in *a) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) die("socket");
    if (connect(fd, (const struct sockaddr *)a, sizeof *a) < 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static int parallel(const struct sockaddr_in *a, int count) {
    int *fds = calloc(count, sizeof *fds), good = 0;
    for (int i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (fd < 0) die("socket");
        if (connect(fd, (const struct sockaddr *)a, sizeof *a) < 0 && errno != EINPROGRESS) die("connect");
        fds[i] = fd;
    }
    for (int i = 0; i < count; i++) {
        char c;
        ssize_t n = -1;
        struct pollfd p = {.fd = fds[i], .events = POLLIN};
        if (poll(&p, 1, 60000) > 0) n = read(fds[i], &c, 1);
        if (n == 1) good++;
        else fprintf(stderr, "connection %d: %s\n", i, n == 0 ? "EOF" : strerror(errno));
    }
    printf("%d of %d\n", good, count);
    return good != count;
}

static int timed_connect(const struct sockaddr_in *a) {
    struct timespec t0, t1;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    int fd = open_to(a), e = errno;
    clock_gettime(CLOCK_MONOTONIC, &t1);
    long ms = (t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000;
    printf("%s after %ld ms\n", fd >= 0 ? "connected" : strerror(e), ms);
    return 0;
}

static int print_rest(int fd) {
    static char b[65536];
    ssize_t n;
    while ((n = read(fd, b, sizeof b)) > 0) write_all(1, b, n);
    if (n < 0) die("read");
    return 0;
}

static int receive(const struct sockaddr_in *a) {
    int fd = open_to(a);
    if (fd < 0) die("connect");
    return print_rest(fd);
}

/* xorshift64 of Marsaglia, each value as eight bytes, least significant first */
static int send_random(const struct sockaddr_in *a, uint64_t x, uint64_t bytes) {
    static unsigned char b[65536];
    int fd = open_to(a);
    if (fd < 0) die("connect");
    while (bytes > 0) {
        for (size_t i = 0; i < sizeof b; i += 8) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            memcpy(b + i, &x, 8);
        }
        size_t n = bytes < sizeof b ? bytes : sizeof b;
        write_all(fd, (char *)b, n);
        bytes -= n;
    }
    if (shutdown(fd, SHUT_WR) < 0) die("shutdown");
    return print_rest(fd);
}

static int udp_ask(const struct sockaddr_in *a, const char *text) {
    static char b[65536];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof *a) < 0) die("socket");
    for (int tries = 0; tries < 20; tries++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        /* nobody is there yet: the next try is a second later all the same */
        if (send(fd, text, strlen(text), 0) < 0 && errno != ECONNREFUSED) die("send");
        if (poll(&p, 1, 1000) > 0) {
            ssize_t n = read(fd, b, sizeof b);
            if (n < 0 && errno == ECONNREFUSED) {
                poll(NULL, 0, 1000);
                continue;
            }
            if (n < 0) die("read");
            write_all(1, b, n);
            return 0;
        }
    }
    errno = ETIMEDOUT;
    die("udp-ask");
    return 1;
}

static int half_close(int fd, const char *text) {
    if (fd < 0) die("connect");
    write_all(fd, text, strlen(text));
    if (shutdown(fd, SHUT_WR) < 0) die("shutdown");
    return print_rest(fd);
}

static int open_unix(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) < 0 ? -1 : fd;
}

/* A step that the system refuses is what is asked for, so it is printed and no failure. */
static int vsock(unsigned cid, unsigned port, const char *text) {
    struct sockaddr_vm a = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
    char line[512];
    int n = snprintf(line, sizeof line, "%s\n", text), fd = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (fd < 0) {
        printf("socket: %s\n", strerror(errno));
        return 0;
    }
    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        printf("connect: %s\n", strerror(errno));
        return 0;
    }
    if (send(fd, line, n, MSG_NOSIGNAL) != n) printf("send: %s\n", strerror(errno));
    while ((n = read(fd, line, sizeof line)) > 0) write_all(1, line, n);
    printf(n == 0 ? "end\n" : "read: %s\n", strerror(errno));
    return 0;
}

/* One request to the Engine; the answer's bytes, to be freed. HTTP/1.0, so that it ends with the connection. */
static char *engine(const char *method, const char *target) {
    size_t size = 1 << 20, used = 0;
    char *answer = calloc(1, size);
    int fd = open_unix("/var/run/docker.sock");
    if (fd < 0 || answer == NULL) die("the Engine's socket");
    dprintf(fd, "%s %s HTTP/1.0\r\nHost: docker\r\n\r\n", method, target);
    for (ssize_t n; (n = read(fd, answer + used, size - 1 - used)) > 0;) used += n;
    close(fd);
    return answer;
}

/* "label=a=b&label=c" as the Engine's filters {"label":["a=b","c"]}, percent-encoded where that matters. */
static void reap(char *line) {
    char target[4096] = "/containers/json?all=1&filters=%7B%22label%22%3A%5B", *save;
    int any = 0;
    for (char *f = strtok_r(line, "&", &save); f; f = strtok_r(NULL, "&", &save)) {
        if (strncmp(f, "label=", 6)) continue;
        size_t used = strlen(target);
        snprintf(target + used, sizeof target - used, "%s%%22%s%%22", any++ ? "%2C" : "", f + 6);
    }
    strcat(target, "%5D%7D");
    char *answer = engine("GET", target);
    for (char *id = answer; any && (id = strstr(id, "\"Id\":\"")) != NULL;) {
        char removal[128];
        snprintf(removal, sizeof removal, "/containers/%.64s?force=1&v=1", id += 6);
        printf("removing %.12s\n", id);
        free(engine("DELETE", removal));
    }
    free(answer);
}

static int reaper(void) {
    static char filters[64][1024];
    int fd = listener(SOCK_STREAM, 8080), count = 0;
    printf("Started\n");
    FILE *caller = fdopen(accept(fd, NULL, NULL), "r+");
    if (caller == NULL) die("accept");
    setvbuf(caller, NULL, _IONBF, 0);
    while (count < 64 && fgets(filters[count], sizeof filters[count], caller)) {
        filters[count][strcspn(filters[count], "\n")] = 0;
        if (filters[count][0]) count++;
        fprintf(caller, "ACK\n");
    }
    for (int i = 0; i < count; i++) reap(filters[i]);
    return 0;
}

/* Record n: a line "PROCESS n LENGTH", then LENGTH letters and a line end. Lengths go up to 40,000. */
static size_t record(char *b, int process, int n) {
    size_t length = n % 10 == 9 ? 4000 * (size_t)(n / 10 % 10 + 1) : (size_t)(n * 37 % 200);
    size_t head = (size_t)sprintf(b, "%d %d %zu\n", process, n, length);
    for (size_t i = 0; i < length; i++) b[head + i] = (char)('a' + (n + i) % 26);
    b[head + length] = '\n';
    return head + length + 1;
}

static void file_of_its_own(int process, int n, const char *b, size_t length) {
    char fresh[64], name[64];
    sprintf(fresh, "%d.new", process);
    sprintf(name, "%d-%d", process, n);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0644), here = open(".", O_RDONLY | O_DIRECTORY);
    if (fd < 0 || here < 0) die("open");
    write_all(fd, b, (ssize_t)length);
    if (fsync(fd) < 0 || close(fd) < 0) die("fsync");
    if (rename(fresh, name) < 0 || fsync(here) < 0 || close(here) < 0) die("rename");
}

static void write_records(int process) {
    static char b[65536];
    char name[16], said[64];
    sprintf(name, "%d", process);
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0) die("open");
    for (int n = 0;; n++) {
        size_t length = record(b, process, n);
        write_all(fd, b, (ssize_t)length);
        if ((n % 2 == 0 ? fsync(fd) : fdatasync(fd)) < 0) die("fsync");
        if (n % 20 == 19) file_of_its_own(process, n, b, length);
        write_all(STDOUT_FILENO, said, sprintf(said, "%d %d\n", process, n));
    }
}

static int records(const char *directory, int processes) {
    if (chdir(directory) < 0) die("chdir");
    for (int i = 1; i < processes; i++) {
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child == 0) write_records(i);
    }
    write_records(0);
    return 0;
}

/* By watch descriptor. */
static char watched[1024][600];

static void watch_directory(int inotify, const char *path) {
    int wd = inotify_add_watch(inotify, path, IN_ALL_EVENTS & ~(IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE));
    if (wd > 0 && wd < 1024 && strlen(path) < sizeof watched[wd]) strcpy(watched[wd], path);
}

/* What whoever has heard of a change finds, at once. */
static void print_content(const char *path) {
    struct stat s;
    char text[64];
    int fd = lstat(path, &s) == 0 && S_ISREG(s.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n >= 0) printf(" %d:%.*s", (int)s.st_size, (int)strcspn(text, "\n") < n ? (int)strcspn(text, "\n") : (int)n, text);
    if (fd >= 0) close(fd);
}

static void print_event(int inotify, const struct inotify_event *e) {
    static const char *const NAMES[] = {"ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM",
                                        "MOVED_TO", "CREATE", "DELETE", "DELETE_SELF", "MOVE_SELF"};
    char path[900];
    snprintf(path, sizeof path, "%s%s%s", e->wd > 0 && e->wd < 1024 ? watched[e->wd] : "?", e->len ? "/" : "", e->len ? e->name : "");
    for (int bit = 0; bit < 12; bit++)
        if (e->mask & (1u << bit)) printf("%s ", NAMES[bit]);
    if (e->mask & IN_Q_OVERFLOW) printf("OVERFLOW ");
    printf("%s", path);
    if ((e->mask & IN_ISDIR) && (e->mask & (IN_CREATE | IN_MOVED_TO))) watch_directory(inotify, path);
    if (e->mask & (IN_MODIFY | IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO)) print_content(path);
    printf("\n");
}

static void watch(char **paths) {
    int inotify = inotify_init1(IN_CLOEXEC);
    if (inotify < 0) die("inotify");
    for (; *paths; paths++) watch_directory(inotify, *paths);
    printf("watching\n");
    for (;;) {
        static char events[65536];
        ssize_t n = read(inotify, events, sizeof events);
        if (n <= 0) die("read");
        for (char *at = events; at < events + n;) {
            const struct inotify_event *e = (const struct inotify_event *)at;
            if (!(e->mask & IN_IGNORED)) print_event(inotify, e);
            at += sizeof *e + e->len;
        }
    }
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && !strcmp(argv[1], "reaper")) return reaper();
    if (argc == 4 && !strcmp(argv[1], "records")) return records(argv[2], atoi(argv[3]));
    if (argc >= 3 && !strcmp(argv[1], "watch")) watch(argv + 2);
    if (argc == 3 && !strcmp(argv[1], "udp-echo")) udp_echo(atoi(argv[2]));
    if (argc == 3 && !strcmp(argv[1], "tcp-echo")) tcp_echo(atoi(argv[2]));
    if (argc == 4 && !strcmp(argv[1], "unix")) return half_close(open_unix(argv[2]), argv[3]);
    if (argc >= 4) {
        if (argc == 5 && !strcmp(argv[1], "vsock"))
            return vsock(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), argv[4]);
        struct sockaddr_in a = resolve(argv[2], argv[3]);
        if (argc == 5 && !strcmp(argv[1], "parallel")) return parallel(&a, atoi(argv[4]));
        if (argc == 4 && !strcmp(argv[1], "receive")) return receive(&a);
        if (argc == 6 && !strcmp(argv[1], "send-random"))
            return send_random(&a, strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
        if (argc == 5 && !strcmp(argv[1], "udp-ask")) return udp_ask(&a, argv[4]);
        if (argc == 4 && !strcmp(argv[1], "connect")) return timed_connect(&a);
        if (argc == 5 && !strcmp(argv[1], "half-close")) return half_close(open_to(&a), argv[4]);
    }
    fprintf(stderr, "peer: see peer.c\n");
    return 2;
}
