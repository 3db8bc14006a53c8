/* serve: sockets of the host in the guest. The host is the test. */
#include "harness.h"

#include "agent.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "0123456789abcdef0123456789abcdef"
#define FIRST_LINE "KEY " KEY " SOCKET ssh-auth"
#define MIB (UINT64_C(1) << 20)

static pid_t agent;
static int control, host;

static void ask(const char *line, const char *answer) {
    write_all(control, line, strlen(line));
    const char *got = read_line(control);
    CHECK(strcmp(got, answer) == 0, "'%s' for '%s'", got, line);
}

static void set_up(void) {
    host = listen_on("4099", 64);
    agent = start_serve();
    control = connect_to("4100");
    ask("key " KEY "\n", "ok");
    ask("socket ssh-auth ssh-auth.sock\n", "ok");
}

static void tear_down(void) {
    stop(agent);
}

static void caller_reaches_the_host_behind_the_key(void) {
    set_up();
    int caller = connect_to("ssh-auth.sock");
    write_all(caller, "question", 8);
    int stream = accept_from(host);
    const char *first = read_line(stream);
    CHECK(strcmp(first, FIRST_LINE) == 0, "'%s'", first);
    shutdown(caller, SHUT_WR);
    char text[64];
    CHECK(read_all(stream, text, sizeof text) == 8 && memcmp(text, "question", 8) == 0, "question");
    write_all(stream, "answer", 6);
    close(stream);
    CHECK(read_all(caller, text, sizeof text) == 6 && memcmp(text, "answer", 6) == 0, "answer");
    tear_down();
}

static void large_transfers_are_bit_exact(void) {
    set_up();
    int caller = connect_to("ssh-auth.sock");
    int stream = accept_from(host);
    read_line(stream);
    pid_t writer = fork();
    if (writer == 0) {
        send_stream(caller, 5, 8 * MIB);
        shutdown(caller, SHUT_WR);
        _exit(0);
    }
    CHECK(check_stream(stream, 5, 9 * MIB) == 8 * MIB, "short");
    CHECK(wait_for_exit(writer) == 0, "writer");
    tear_down();
}

static void anybody_in_the_guest_may_connect(void) {
    set_up();
    struct stat s;
    CHECK(stat("ssh-auth.sock", &s) == 0 && (s.st_mode & 0777) == 0666, "mode %o", s.st_mode);
    tear_down();
}

static void daemon_absent_hangs_up(void) {
    set_up();
    close(host);
    unlink("4099");
    int caller = connect_to("ssh-auth.sock");
    CHECK(caller < 0 || ends(caller), "end");
    ask("ping\n", "ok " AGENT_VERSION);
    tear_down();
}

static void daemon_that_refuses_hangs_up(void) {
    set_up();
    int caller = connect_to("ssh-auth.sock");
    close(accept_from(host));
    CHECK(ends(caller), "end");
    tear_down();
}

static void named_again_it_replaces_itself(void) {
    set_up();
    ask("socket ssh-auth ssh-auth.sock\n", "ok");
    int caller = connect_to("ssh-auth.sock");
    CHECK(caller >= 0, "connect");
    CHECK(strcmp(read_line(accept_from(host)), FIRST_LINE) == 0, "first line");
    tear_down();
}

static void closed_it_is_gone_and_callers_go_on(void) {
    set_up();
    int caller = connect_to("ssh-auth.sock");
    int stream = accept_from(host);
    read_line(stream);
    ask("nosocket ssh-auth\n", "ok");
    ask("nosocket ssh-auth\n", "err no such socket");
    CHECK(connect_to("ssh-auth.sock") < 0, "still there");
    write_all(caller, "x", 1);
    char c;
    CHECK(read(stream, &c, 1) == 1 && c == 'x', "byte");
    tear_down();
}

static void bad_names_are_refused(void) {
    set_up();
    ask("socket x\n", "err bad name");
    ask("socket x ../evil.sock\n", "err can't listen: bad name");
    ask("socket x .hidden\n", "err can't listen: bad name");
    ask("socket x y/z\n", "err can't listen: bad name");
    ask("socket X y\n", "err can't listen: bad name");
    ask("socket  y\n", "err can't listen: bad name");
    ask("socket 0123456789012345678901234567890123456789 y\n", "err can't listen: bad name");
    tear_down();
}

static void more_than_256_are_refused(void) {
    set_up();
    char line[64];
    for (int i = 1; i < 256; i++) {
        snprintf(line, sizeof line, "socket s%d s%d.sock\n", i, i);
        ask(line, "ok");
    }
    ask("socket one-more one-more.sock\n", "err can't listen: too many sockets");
    ask("nosocket s7\n", "ok");
    ask("socket one-more one-more.sock\n", "ok");
    tear_down();
}

static void out_of_descriptors_callers_wait(void) {
    set_up();
    int before = connect_to("ssh-auth.sock");
    int stream = accept_from(host);
    read_line(stream);
    struct rlimit old, none = {.rlim_cur = 0, .rlim_max = 65536};
    CHECK(prlimit(agent, RLIMIT_NOFILE, NULL, &old) == 0, "prlimit");
    none.rlim_max = old.rlim_max;
    CHECK(prlimit(agent, RLIMIT_NOFILE, &none, NULL) == 0, "prlimit");
    int caller = connect_to("ssh-auth.sock");
    write_all(caller, "late", 4);
    write_all(before, "x", 1); /* what is open goes on */
    char c;
    CHECK(read(stream, &c, 1) == 1, "byte");
    CHECK(prlimit(agent, RLIMIT_NOFILE, &old, NULL) == 0, "prlimit");
    int late = accept_from(host);
    CHECK(strcmp(read_line(late), FIRST_LINE) == 0, "first line");
    char text[8];
    CHECK(read(late, text, 4) == 4 && memcmp(text, "late", 4) == 0, "late");
    tear_down();
}

const struct test SOCKETS_TESTS[] = {
    {"sockets: caller_reaches_the_host_behind_the_key", caller_reaches_the_host_behind_the_key},
    {"sockets: large_transfers_are_bit_exact", large_transfers_are_bit_exact},
    {"sockets: anybody_in_the_guest_may_connect", anybody_in_the_guest_may_connect},
    {"sockets: daemon_absent_hangs_up", daemon_absent_hangs_up},
    {"sockets: daemon_that_refuses_hangs_up", daemon_that_refuses_hangs_up},
    {"sockets: named_again_it_replaces_itself", named_again_it_replaces_itself},
    {"sockets: closed_it_is_gone_and_callers_go_on", closed_it_is_gone_and_callers_go_on},
    {"sockets: bad_names_are_refused", bad_names_are_refused},
    {"sockets: more_than_256_are_refused", more_than_256_are_refused},
    {"sockets: out_of_descriptors_callers_wait", out_of_descriptors_callers_wait},
    {NULL, NULL},
};
