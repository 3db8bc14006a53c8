#include "harness.h"

#include "agent.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_SECONDS 60

const char *test_agent, *shipped_agent;

static struct sockaddr_un address(const char *name) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", name);
    return a;
}

int listen_on(const char *name, int backlog) {
    struct sockaddr_un a = address(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, backlog) == 0, "%s: %s", name,
          strerror(errno));
    return fd;
}

int accept_from(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(fd >= 0, "%s", strerror(errno));
    return fd;
}

int connect_to(const char *name) {
    struct sockaddr_un a = address(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0, "%s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

pid_t start_serve(void) {
    pid_t pid = fork();
    CHECK(pid >= 0, "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(test_agent, "longshore-agent", "serve", (char *)NULL);
        _exit(127);
    }
    int fd;
    while ((fd = connect_to("4100")) < 0) {
        CHECK(waitpid(pid, NULL, WNOHANG) == 0, "the agent ended");
        poll(NULL, 0, 2);
    }
    write_all(fd, "ping\n", 5);
    CHECK(strcmp(read_line(fd), "ok " AGENT_VERSION) == 0, "no answer");
    close(fd);
    return pid;
}

int wait_for_exit(pid_t pid) {
    int status;
    CHECK(waitpid(pid, &status, 0) == pid, "%s", strerror(errno));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void stop(pid_t pid) {
    kill(pid, SIGTERM);
    int status = wait_for_exit(pid);
    CHECK(status == -SIGTERM || status == 0, "status %d", status);
}

void write_all(int fd, const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        CHECK(n > 0, "%s", strerror(errno));
        at += n;
        len -= (size_t)n;
    }
}

size_t read_all(int fd, void *bytes, size_t size) {
    size_t done = 0;
    ssize_t n;
    while (done < size && (n = read(fd, (uint8_t *)bytes + done, size - done)) != 0) {
        CHECK(n > 0, "%s", strerror(errno));
        done += (size_t)n;
    }
    return done;
}

const char *read_line(int fd) {
    static char line[4096];
    size_t n = 0;
    while (n + 1 < sizeof line && read(fd, line + n, 1) == 1 && line[n] != '\n') {
        n++;
    }
    line[n] = '\0';
    return line;
}

bool ends(int fd) {
    char skipped[4096];
    while (read(fd, skipped, sizeof skipped) > 0) {
    }
    return true;
}

/* Cheap and position-addressable: xorshift of (seed, word index). */
static uint32_t word(uint32_t seed, uint64_t index) {
    uint64_t x = (index + 1) * UINT64_C(0x9E3779B97F4A7C15) ^ seed;
    x ^= x >> 31;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    return (uint32_t)(x >> 32);
}

void fill(uint8_t *bytes, size_t len, uint32_t seed, uint64_t at) {
    for (size_t i = 0; i < len; i++, at++) {
        bytes[i] = (uint8_t)(word(seed, at / 4) >> (8 * (at % 4)));
    }
}

void send_stream(int fd, uint32_t seed, uint64_t len) {
    uint8_t chunk[65536];
    for (uint64_t at = 0; at < len;) {
        /* Odd sizes, so that no boundary falls together with another one's. */
        size_t n = 1 + word(~seed, at) % sizeof chunk;
        n = n < len - at ? n : (size_t)(len - at);
        fill(chunk, n, seed, at);
        write_all(fd, chunk, n);
        at += n;
    }
}

uint64_t check_stream(int fd, uint32_t seed, uint64_t len) {
    uint8_t got[65536], want[65536];
    uint64_t at = 0;
    while (at < len) {
        size_t size = len - at < sizeof got ? (size_t)(len - at) : sizeof got;
        ssize_t n = read(fd, got, size);
        if (n <= 0) {
            break;
        }
        fill(want, (size_t)n, seed, at);
        CHECK(memcmp(got, want, (size_t)n) == 0, "bytes differ near %llu", (unsigned long long)at);
        at += (uint64_t)n;
    }
    return at;
}

/* ---- the runner ---- */

static int remove_entry(const char *path, const struct stat *s, int type, struct FTW *f) {
    (void)s;
    (void)type;
    (void)f;
    return remove(path);
}

static bool run_one(const struct test *t) {
    char dir[] = "/tmp/agent-test-XXXXXX";
    CHECK(mkdtemp(dir), "mkdtemp");
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(chdir(dir) == 0, "chdir");
        setenv("AGENT_TEST_DIR", ".", 1);
        signal(SIGPIPE, SIG_IGN);
        struct rlimit files = {4096, 4096};
        setrlimit(RLIMIT_NOFILE, &files);
        alarm(TEST_SECONDS);
        t->run();
        exit(0);
    }
    int status = wait_for_exit(pid);
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    printf("%s %s\n", status == 0 ? "ok  " : "FAIL", t->name);
    return status == 0;
}

static int run_all(const struct test *tests, const char *only, int *count) {
    int failed = 0;
    for (; tests->name; tests++) {
        if (!only || strstr(tests->name, only)) {
            ++*count;
            failed += !run_one(tests);
        }
    }
    return failed;
}

int main(int argc, char **argv) {
    char test_path[4096], shipped_path[4096];
    if (argc < 3 || !realpath(argv[1], test_path) || !realpath(argv[2], shipped_path)) {
        fprintf(stderr, "usage: agent_test TEST-AGENT SHIPPED-AGENT [part of a test's name]\n");
        return 2;
    }
    test_agent = test_path;
    shipped_agent = shipped_path;
    const char *only = argc > 3 ? argv[3] : NULL;
    int count = 0;
    int failed = run_all(PROXY_TESTS, only, &count) + run_all(RELAY_TESTS, only, &count) + run_all(CONTROL_TESTS, only, &count) + run_all(SOCKETS_TESTS, only, &count)
                 + run_all(HOSTNET_TESTS, only, &count) + run_all(IPTABLES_TESTS, only, &count)
                 + run_all(EVENTS_TESTS, only, &count);
    printf("%d tests, %d failed\n", count, failed);
    return failed != 0;
}
