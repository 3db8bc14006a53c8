/* serve, port 2375: the host is the test, and so is the Engine. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

static pid_t agent;
static int engine;

static void set_up(int backlog) {
    engine = listen_on("docker.sock", backlog);
    agent = start_serve();
}

/* The agent must have survived: a sanitizer's report is an exit status. */
static void tear_down(void) {
    stop(agent);
}

struct pair {
    int host, guest;
};

static struct pair open_pair(void) {
    struct pair p = {.host = connect_to("2375")};
    CHECK(p.host >= 0, "connect");
    p.guest = accept_from(engine);
    return p;
}

/* `f(fd)` in a process of its own. */
static pid_t meanwhile(void (*f)(int fd), int fd) {
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        f(fd);
        _exit(0);
    }
    return pid;
}

static void send_64_mib_and_eof(int fd) {
    send_stream(fd, (uint32_t)7, 64 * MIB);
    CHECK(shutdown(fd, SHUT_WR) == 0, "shutdown");
}

static void both_ways_at_once_is_bit_exact(void) {
    set_up(8);
    struct pair p = open_pair();
    pid_t a = meanwhile(send_64_mib_and_eof, p.host), b = meanwhile(send_64_mib_and_eof, p.guest);
    /* Small turns on both ends, so that each is blocked by the other now and then. */
    pid_t reader = fork();
    if (reader == 0) {
        CHECK(check_stream(p.guest, 7, 65 * MIB) == 64 * MIB, "short");
        _exit(0);
    }
    CHECK(check_stream(p.host, 7, 65 * MIB) == 64 * MIB, "short");
    CHECK(wait_for_exit(reader) == 0 && wait_for_exit(a) == 0 && wait_for_exit(b) == 0, "one of four");
    tear_down();
}

static void host_half_close_answer_still_comes(void) {
    set_up(8);
    struct pair p = open_pair();
    write_all(p.host, "request", 7);
    shutdown(p.host, SHUT_WR);
    char text[64];
    CHECK(read_all(p.guest, text, sizeof text) == 7, "EOF after 7");
    send_stream(p.guest, 3, MIB / 4);
    close(p.guest);
    CHECK(check_stream(p.host, 3, MIB) == MIB / 4, "short");
    tear_down();
}

static void engine_half_close_host_still_sends(void) {
    set_up(8);
    struct pair p = open_pair();
    write_all(p.guest, "hello", 5);
    shutdown(p.guest, SHUT_WR);
    char text[64];
    CHECK(read_all(p.host, text, sizeof text) == 5, "EOF after 5");
    pid_t a = meanwhile(send_64_mib_and_eof, p.host);
    CHECK(check_stream(p.guest, 7, 65 * MIB) == 64 * MIB, "short");
    CHECK(wait_for_exit(a) == 0, "sender");
    tear_down();
}

static void expect_hangup(int fd) {
    struct pollfd p = {.fd = fd, .events = 0};
    CHECK(poll(&p, 1, 10000) == 1 && (p.revents & (POLLHUP | POLLERR)), "revents %x", p.revents);
}

static void host_closing_hangs_up_the_engine(void) {
    set_up(8);
    struct pair p = open_pair();
    close(p.host);
    expect_hangup(p.guest);
    tear_down();
}

/* `docker events` whose client goes away: nothing flows that would tell. */
static void host_closing_after_half_close_hangs_up_the_idle_engine(void) {
    set_up(8);
    struct pair p = open_pair();
    shutdown(p.host, SHUT_WR);
    char byte;
    CHECK(read(p.guest, &byte, 1) == 0, "EOF");
    close(p.host);
    expect_hangup(p.guest);
    tear_down();
}

static void engine_closing_hangs_up_the_host(void) {
    set_up(8);
    struct pair p = open_pair();
    close(p.guest);
    char byte;
    CHECK(read(p.host, &byte, 1) == 0, "EOF");
    expect_hangup(p.host);
    tear_down();
}

static void engine_closing_after_half_close_hangs_up_the_idle_host(void) {
    set_up(8);
    struct pair p = open_pair();
    shutdown(p.guest, SHUT_WR);
    char byte;
    CHECK(read(p.host, &byte, 1) == 0, "EOF");
    close(p.guest);
    expect_hangup(p.host);
    tear_down();
}

/* The Engine answers, closes without reading the rest of the request: the answer arrives nevertheless. */
static void engine_closing_with_unread_data_answer_still_comes(void) {
    set_up(8);
    struct pair p = open_pair();
    send_stream(p.guest, 5, MIB / 8);
    close(p.guest);
    CHECK(check_stream(p.host, 5, MIB) == MIB / 8, "short");
    tear_down();
}

/* The host goes while the Engine is blocked in writing: its write must end. */
static void host_closing_unblocks_the_writing_engine(void) {
    set_up(8);
    struct pair p = open_pair();
    char block[65536] = {0};
    while (send(p.guest, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
        struct pollfd more = {.fd = p.guest, .events = POLLOUT};
        poll(&more, 1, 50);
    }
    CHECK(errno == EAGAIN, "%s", strerror(errno));
    close(p.host);
    while (send(p.guest, block, sizeof block, MSG_NOSIGNAL) > 0) {
    }
    CHECK(errno == EPIPE || errno == ECONNRESET, "%s", strerror(errno));
    tear_down();
}

static void slow_reader_stops_its_writer_and_nobody_else(void) {
    set_up(8);
    struct pair slow = open_pair();
    fcntl(slow.guest, F_SETFL, O_NONBLOCK);
    uint64_t sent = 0;
    for (;;) {
        uint8_t chunk[8192];
        fill(chunk, sizeof chunk, 9, sent);
        ssize_t n = send(slow.guest, chunk, sizeof chunk, MSG_NOSIGNAL);
        if (n > 0) {
            sent += (uint64_t)n;
            CHECK(sent < 16 * MIB, "no back-pressure");
            continue;
        }
        struct pollfd more = {.fd = slow.guest, .events = POLLOUT};
        if (poll(&more, 1, 100) == 0) {
            break; /* full for good */
        }
    }
    struct pair fast = open_pair();
    pid_t a = meanwhile(send_64_mib_and_eof, fast.guest);
    CHECK(check_stream(fast.host, 7, 65 * MIB) == 64 * MIB, "short");
    CHECK(wait_for_exit(a) == 0, "sender");
    close(slow.guest);
    CHECK(check_stream(slow.host, 9, 32 * MIB) == sent, "short");
    tear_down();
}

static void engine_absent_closes_at_once(void) {
    agent = start_serve();
    for (int i = 0; i < 3; i++) {
        int host = connect_to("2375");
        CHECK(ends(host), "end");
        close(host);
    }
    engine = listen_on("docker.sock", 8);
    struct pair p = open_pair();
    write_all(p.host, "x", 1);
    char byte;
    CHECK(read(p.guest, &byte, 1) == 1, "not relayed");
    tear_down();
}

static void strangers_are_closed(void) {
    set_up(8);
    close(open("stranger", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    int relay = connect_to("2375"), control = connect_to("4100");
    CHECK(ends(relay), "relay");
    send(control, "ping\n", 5, MSG_NOSIGNAL);
    char byte;
    CHECK(read(control, &byte, 1) <= 0, "answered");
    struct pollfd p = {.fd = engine, .events = POLLIN};
    CHECK(poll(&p, 1, 0) == 0, "the Engine was called");
    tear_down();
}

/* Echoes each connection once, in the order they come. */
static void echo_server(int listener) {
    for (;;) {
        int c = accept_from(listener);
        pid_t pid = fork();
        if (pid == 0) {
            char bytes[16384];
            ssize_t n;
            while ((n = read(c, bytes, sizeof bytes)) > 0) {
                write_all(c, bytes, (size_t)n);
            }
            _exit(0);
        }
        close(c);
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
    }
}

#define MANY 500
#define EACH (8 * 1024)

static void many_connections_in_parallel(void) {
    set_up(MANY);
    pid_t server = meanwhile(echo_server, engine);
    static int hosts[MANY];
    for (int i = 0; i < MANY; i++) {
        hosts[i] = connect_to("2375");
        CHECK(hosts[i] >= 0, "connect %d", i);
        send_stream(hosts[i], (uint32_t)i, EACH);
        shutdown(hosts[i], SHUT_WR);
    }
    for (int i = MANY - 1; i >= 0; i--) {
        CHECK(check_stream(hosts[i], (uint32_t)i, EACH + 1) == EACH, "connection %d", i);
        close(hosts[i]);
    }
    kill(server, SIGKILL);
    tear_down();
}

static int open_files(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    int n = 0;
    char command[128];
    snprintf(command, sizeof command, "ls %s | wc -l", path);
    FILE *f = popen(command, "re");
    CHECK(f && fscanf(f, "%d", &n) == 1, "fd count");
    pclose(f);
    return n;
}

static void no_descriptor_is_left(void) {
    set_up(64);
    int before = open_files(agent);
    for (int i = 0; i < 300; i++) {
        struct pair p = open_pair();
        if (i % 3 == 0) {
            send(p.host, "x", 1, MSG_NOSIGNAL);
        }
        if (i % 5 == 0) {
            shutdown(p.guest, SHUT_WR);
        }
        close(i % 2 ? p.host : p.guest);
        expect_hangup(i % 2 ? p.guest : p.host);
        close(i % 2 ? p.guest : p.host);
    }
    int c = connect_to("4100"); /* what it was doing is done when it answers */
    write_all(c, "ping\n", 5);
    read_line(c);
    int after = open_files(agent) - 1;
    CHECK(after <= before, "%d, then %d", before, after);
    tear_down();
}

static void out_of_descriptors_callers_wait(void) {
    set_up(64);
    struct rlimit few = {40, 40};
    CHECK(prlimit(agent, RLIMIT_NOFILE, &few, NULL) == 0, "prlimit");
    pid_t server = meanwhile(echo_server, engine);
    int hosts[40];
    for (int i = 0; i < 40; i++) {
        hosts[i] = connect_to("2375");
        CHECK(hosts[i] >= 0, "connect");
        send_stream(hosts[i], (uint32_t)i, 100);
    }
    for (int i = 0; i < 40; i++) {
        /* Each that ends makes room for one that waits. */
        shutdown(hosts[i], SHUT_WR);
        CHECK(check_stream(hosts[i], (uint32_t)i, 200) == 100, "connection %d", i);
        close(hosts[i]);
    }
    kill(server, SIGKILL);
    tear_down();
}

static void full_backlog_of_the_engine_callers_wait(void) {
    set_up(0);
    int hosts[20];
    for (int i = 0; i < 20; i++) {
        hosts[i] = connect_to("2375");
        CHECK(hosts[i] >= 0, "connect");
        send_stream(hosts[i], 1, 100);
        shutdown(hosts[i], SHUT_WR);
    }
    close(hosts[19]); /* one leaves; its turn comes all the same */
    for (int i = 0; i < 20; i++) {
        int guest = accept_from(engine);
        check_stream(guest, 1, 200);
        send(guest, "y", 1, MSG_NOSIGNAL);
        close(guest);
    }
    for (int i = 0; i < 19; i++) {
        char byte;
        CHECK(read(hosts[i], &byte, 1) == 1, "connection %d", i);
    }
    tear_down();
}

const struct test RELAY_TESTS[] = {
    {"relay: both_ways_at_once_is_bit_exact", both_ways_at_once_is_bit_exact},
    {"relay: host_half_close_answer_still_comes", host_half_close_answer_still_comes},
    {"relay: engine_half_close_host_still_sends", engine_half_close_host_still_sends},
    {"relay: host_closing_hangs_up_the_engine", host_closing_hangs_up_the_engine},
    {"relay: host_closing_after_half_close_hangs_up_the_idle_engine", host_closing_after_half_close_hangs_up_the_idle_engine},
    {"relay: engine_closing_hangs_up_the_host", engine_closing_hangs_up_the_host},
    {"relay: engine_closing_after_half_close_hangs_up_the_idle_host", engine_closing_after_half_close_hangs_up_the_idle_host},
    {"relay: engine_closing_with_unread_data_answer_still_comes", engine_closing_with_unread_data_answer_still_comes},
    {"relay: host_closing_unblocks_the_writing_engine", host_closing_unblocks_the_writing_engine},
    {"relay: slow_reader_stops_its_writer_and_nobody_else", slow_reader_stops_its_writer_and_nobody_else},
    {"relay: engine_absent_closes_at_once", engine_absent_closes_at_once},
    {"relay: strangers_are_closed", strangers_are_closed},
    {"relay: many_connections_in_parallel", many_connections_in_parallel},
    {"relay: no_descriptor_is_left", no_descriptor_is_left},
    {"relay: out_of_descriptors_callers_wait", out_of_descriptors_callers_wait},
    {"relay: full_backlog_of_the_engine_callers_wait", full_backlog_of_the_engine_callers_wait},
    {NULL, NULL},
};
