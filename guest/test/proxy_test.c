/* docker-proxy: what dockerd sees on one side, and the daemon on the other. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct proxy {
    pid_t pid;
    int status; /* the read end of descriptor 3 */
    int four;   /* the read end of descriptor 4 */
};

#define KEY "0123456789abcdef0123456789abcdef"

static void put_key(const char *key) {
    FILE *f = fopen("publish-key", "we");
    CHECK(f && fputs(key, f) >= 0 && fclose(f) == 0, "key");
}

/* As dockerd starts it; `args` is split at blanks. */
static struct proxy start_without_key(const char *args) {
    int status[2], four[2];
    CHECK(pipe(status) == 0 && pipe(four) == 0, "pipe");
    struct proxy p = {.status = status[0], .four = four[0]};
    p.pid = fork();
    if (p.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int s = fcntl(status[1], F_DUPFD, 20), f = fcntl(four[1], F_DUPFD, 20);
        dup2(s, 3);
        dup2(f, 4);
        for (int fd = 5; fd < 64; fd++) {
            close(fd);
        }
        char copy[1024], *words[64] = {"docker-proxy"};
        int n = 1;
        snprintf(copy, sizeof copy, "%s", args);
        for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) {
            words[n++] = w;
        }
        execv(test_agent, words);
        _exit(127);
    }
    close(status[1]);
    close(four[1]);
    return p;
}

static struct proxy start(const char *args) {
    put_key(KEY);
    return start_without_key(args);
}

/* All of descriptor 3, up to its close. */
static const char *status_of(struct proxy *p) {
    static char text[4096];
    text[read_all(p->status, text, sizeof text - 1)] = '\0';
    return text;
}

#define GOOD "-proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80"

static void expect_line(int connection, const char *line) {
    const char *got = read_line(connection);
    CHECK(strcmp(got, line) == 0, "'%s'", got);
}

static void expect_status(struct proxy *p, const char *text) {
    const char *got = status_of(p);
    CHECK(strcmp(got, text) == 0, "'%s'", got);
}

static void expect_failure(const char *args, const char *part) {
    struct proxy p = start(args);
    const char *got = status_of(&p);
    CHECK(strncmp(got, "1\n", 2) == 0 && strstr(got, part), "%s: '%s'", args, got);
    CHECK(wait_for_exit(p.pid) == 1, "%s", args);
}

/* Exposed, dockerd told, the connection to the daemon given back. */
static int expose(struct proxy *p, int daemon, const char *line) {
    int c = accept_from(daemon);
    expect_line(c, line);
    write_all(c, "OK 0.0.0.0 8080\n", 16);
    expect_status(p, "0\n");
    return c;
}

#define EXPOSE_LINE "KEY " KEY " EXPOSE tcp 0.0.0.0 8080 172.17.0.2 80"

static void sigint_releases_and_waits_for_the_daemon(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start(GOOD);
    int c = expose(&p, daemon, EXPOSE_LINE);

    kill(p.pid, SIGINT);
    char byte;
    CHECK(read(c, &byte, 1) == 0, "no EOF");
    CHECK(waitpid(p.pid, NULL, WNOHANG) == 0, "it left before the port was released");
    close(c);
    CHECK(wait_for_exit(p.pid) == 0, "status");
}

static void sigterm_daemon_never_closes_exits_all_the_same(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start(GOOD);
    expose(&p, daemon, EXPOSE_LINE);
    kill(p.pid, SIGTERM);
    CHECK(wait_for_exit(p.pid) == 0, "status");
}

static void flags_of_all_forms_are_understood(void) {
    static const char *const FORMS[] = {
        "-proto=tcp -host-ip=0.0.0.0 -host-port=8080 -container-ip=172.17.0.2 -container-port=80",
        "--proto tcp --host-ip=0.0.0.0 --host-port 8080 --container-ip 172.17.0.2 --container-port 80",
        "-verbose -proto tcp -future value -host-ip 0.0.0.0 --other=x=y -host-port 8080 -container-ip 172.17.0.2 "
        "-container-port 80 -last",
        "-container-port 80 -container-ip 172.17.0.2 -host-port 8080 -host-ip 0.0.0.0", /* tcp is the default */
        "-hostport 1 -host-ip-v6 :: -p 9 " GOOD,
        GOOD " -use-listen-fd=false",
        "-proto udp " GOOD, /* the last one counts */
    };
    int daemon = listen_on("4098", 8);
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        struct proxy p = start(FORMS[i]);
        close(expose(&p, daemon, EXPOSE_LINE));
        kill(p.pid, SIGKILL);
        wait_for_exit(p.pid);
        close(p.status);
        close(p.four);
        /* It may have connected again before it was killed. */
        struct pollfd waiting = {.fd = daemon, .events = POLLIN};
        while (poll(&waiting, 1, 0) == 1) {
            close(accept_from(daemon));
        }
    }
}

static void ipv6_and_udp_are_passed_bare(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start("-proto udp -host-ip :: -host-port 53 -container-ip fd00::2 -container-port 5353");
    expose(&p, daemon, "KEY " KEY " EXPOSE udp :: 53 fd00::2 5353");
    stop(p.pid);
}

static void use_listen_fd_closes_descriptor_4(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start("-use-listen-fd " GOOD);
    int c = expose(&p, daemon, EXPOSE_LINE);
    char byte;
    CHECK(read(p.four, &byte, 1) == 0, "still open");
    close(c);
    stop(p.pid);
}

static void bad_flags_are_reported(void) {
    expect_failure("", "-host-ip");
    expect_failure("-proto", "needs an argument: -proto");
    expect_failure("-host-ip -host-port 80", "needs an argument: -host-ip");
    expect_failure("-proto icmp " "-host-ip 0.0.0.0 -host-port 1 -container-ip 1.2.3.4 -container-port 1", "\"icmp\" for flag -proto");
    expect_failure("-proto sctp -host-ip 0.0.0.0 -host-port 1 -container-ip 1.2.3.4 -container-port 1", "SCTP");
    expect_failure("-host-ip 0.0.0 -host-port 1 -container-ip 1.2.3.4 -container-port 1", "-host-ip");
    expect_failure("-host-ip [::] -host-port 1 -container-ip 1.2.3.4 -container-port 1", "-host-ip");
    expect_failure("-host-ip 0.0.0.0 -host-port 65536 -container-ip 1.2.3.4 -container-port 1", "-host-port");
    expect_failure("-host-ip 0.0.0.0 -host-port +1 -container-ip 1.2.3.4 -container-port 1", "-host-port");
    expect_failure("-host-ip 0.0.0.0 -host-port 99999999999999999999 -container-ip 1.2.3.4 -container-port 1", "-host-port");
    expect_failure("-host-ip 0.0.0.0 -host-port 1 -container-ip name -container-port 1", "-container-ip");
    expect_failure("-host-ip 0.0.0.0 -host-port 1 -container-ip 1.2.3.4 -container-port 0", "-container-port");
    expect_failure("-host-ip 0.0.0.0 -host-port 1 -container-ip 1.2.3.4", "-container-port");
}

#define TAKEN \
    "ports are not available: exposing port TCP 0.0.0.0:8080 -> 127.0.0.1:0: listen tcp 0.0.0.0:8080: bind: address " \
    "already in use"

static void error_text_reaches_dockerd_word_for_word(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start(GOOD);
    int c = accept_from(daemon);
    expect_line(c, EXPOSE_LINE);
    write_all(c, "ERR " TAKEN "\n", strlen("ERR " TAKEN "\n"));
    expect_status(&p, "1\n" TAKEN);
    CHECK(wait_for_exit(p.pid) == 1, "status");
    CHECK(ends(c), "released");
}

static void error_text_with_control_characters_is_cleaned(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start(GOOD);
    int c = accept_from(daemon);
    write_all(c, "ERR a\x1b[1m\xc3\xa9\n", 12);
    expect_status(&p, "1\na?[1m??");
    wait_for_exit(p.pid);
}

static void answers_not_understood_are_errors(void) {
    char long_line[2000];
    memset(long_line, 'x', sizeof long_line);
    static const char *const ANSWERS[] = {"\n", "OK\n", "OK \n", "OK 0.0.0.0 \n", "OK 0.0.0.0 0\n", "OK 0.0.0.0 65536\n", "ERR\n", "HTTP/1.1 400\n"};
    int daemon = listen_on("4098", 8);
    for (size_t i = 0; i <= sizeof ANSWERS / sizeof ANSWERS[0]; i++) {
        bool last = i == sizeof ANSWERS / sizeof ANSWERS[0];
        struct proxy p = start(GOOD);
        int c = accept_from(daemon);
        expect_line(c, EXPOSE_LINE);
        write_all(c, last ? long_line : ANSWERS[i], last ? sizeof long_line : strlen(ANSWERS[i]));
        const char *got = status_of(&p);
        CHECK(strncmp(got, "1\n", 2) == 0 && strstr(got, "not understood"), "%zu: '%s'", i, got);
        CHECK(wait_for_exit(p.pid) == 1, "status");
        close(c);
        close(p.status);
        close(p.four);
    }
}

static void daemon_absent_is_an_error(void) {
    expect_failure(GOOD, "the Longshore daemon on the host can't be reached");
}

static void key_that_never_comes_is_an_error(void) {
    listen_on("4098", 8);
    struct proxy p = start_without_key(GOOD);
    const char *got = status_of(&p);
    CHECK(strncmp(got, "1\n", 2) == 0 && strstr(got, "hasn't sent this guest's key"), "'%s'", got);
    CHECK(wait_for_exit(p.pid) == 1, "status");
}

static void key_that_comes_late_is_waited_for(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start_without_key(GOOD);
    put_key(KEY);
    close(expose(&p, daemon, EXPOSE_LINE));
    stop(p.pid);
}

static void silent_daemon_is_an_error_in_time(void) {
    listen_on("4098", 8);
    expect_failure(GOOD, "doesn't answer");
}

static void daemon_closing_first_is_asked_again(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start(GOOD);
    close(accept_from(daemon));
    close(expose(&p, daemon, EXPOSE_LINE));
    stop(p.pid);
}

static void gone_from_the_daemon_ends_the_proxy(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start(GOOD);
    int c = expose(&p, daemon, EXPOSE_LINE);
    write_all(c, "GONE\n", 5);
    close(c);
    CHECK(wait_for_exit(p.pid) == 0, "status");
}

static void lost_lease_is_taken_again_with_the_same_port(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start("-host-ip 127.0.0.1 -host-port 0 -container-ip 172.17.0.2 -container-port 80");
    int c = accept_from(daemon);
    expect_line(c, "KEY " KEY " EXPOSE tcp 127.0.0.1 0 172.17.0.2 80");
    write_all(c, "OK 127.0.0.1 41234\n", 19);
    expect_status(&p, "0\n");

    close(c);
    c = accept_from(daemon);
    expect_line(c, "KEY " KEY " EXPOSE tcp 127.0.0.1 41234 172.17.0.2 80");
    write_all(c, "ERR taken meanwhile\n", 20);
    CHECK(ends(c), "end");
    close(c);
    c = accept_from(daemon);
    expect_line(c, "KEY " KEY " EXPOSE tcp 127.0.0.1 41234 172.17.0.2 80");
    write_all(c, "OK 127.0.0.1 41234\n", 19);
    write_all(c, "noise\n", 6); /* skipped */

    kill(p.pid, SIGINT);
    CHECK(ends(c), "end");
    close(c);
    CHECK(wait_for_exit(p.pid) == 0, "status");
}

static void lost_lease_daemon_absent_sigint_exits(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start(GOOD);
    int c = expose(&p, daemon, EXPOSE_LINE);
    close(daemon);
    unlink("4098");
    close(c);
    kill(p.pid, SIGINT);
    CHECK(wait_for_exit(p.pid) == 0, "status");
}

static void sigint_before_the_answer_releases(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start(GOOD);
    int c = accept_from(daemon);
    expect_line(c, EXPOSE_LINE);
    kill(p.pid, SIGINT);
    const char *got = status_of(&p);
    CHECK(strncmp(got, "1\n", 2) == 0, "'%s'", got);
    CHECK(ends(c), "end");
    CHECK(wait_for_exit(p.pid) == 1, "status");
}

static void killed_proxy_releases(void) {
    int daemon = listen_on("4098", 8);
    struct proxy p = start(GOOD);
    int c = expose(&p, daemon, EXPOSE_LINE);
    kill(p.pid, SIGKILL);
    CHECK(ends(c), "end");
}

static void killed_parent_releases(void) {
    put_key(KEY);
    int daemon = listen_on("4098", 8);
    pid_t dockerd = fork();
    if (dockerd == 0) {
        execl("/bin/sh", "sh", "-c", "exec 3>&1; \"$0\" docker-proxy " GOOD " & wait", test_agent, (char *)NULL);
        _exit(127);
    }
    int c = accept_from(daemon);
    expect_line(c, EXPOSE_LINE);
    write_all(c, "OK 0.0.0.0 8080\n", 16);
    kill(dockerd, SIGKILL);
    CHECK(ends(c), "end");
}

static int run_without_status_pipe(const char *args, const char *stderr_to) {
    char command[2048];
    snprintf(command, sizeof command, "exec 3>&- 4>&-; exec \"$0\" docker-proxy %s 2>%s", args, stderr_to);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/bin/sh", "sh", "-c", command, test_agent, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void without_status_pipe_errors_go_to_stderr(void) {
    CHECK(wait_for_exit(run_without_status_pipe("-proto sctp -host-ip 0.0.0.0", "err")) == 1, "status");
    int err = open("err", O_RDONLY | O_CLOEXEC);
    CHECK(strstr(read_line(err), "SCTP"), "text");
}

static void without_status_pipe_the_port_is_held(void) {
    put_key(KEY);
    int daemon = listen_on("4098", 8);
    pid_t pid = run_without_status_pipe(GOOD, "/dev/null");
    int c = accept_from(daemon);
    expect_line(c, EXPOSE_LINE);
    write_all(c, "OK 0.0.0.0 8080\n", 16);
    kill(pid, SIGINT);
    char byte; /* nothing but the end: the status never goes to the socket that became descriptor 3 */
    CHECK(read(c, &byte, 1) <= 0, "a byte");
    close(c);
    int status = wait_for_exit(pid);
    /* The signal may come before the answer is read. */
    CHECK(status == 0 || status == 1, "status %d", status);
}

static void version_is_printed_by_both_binaries(void) {
    const char *const agents[] = {test_agent, shipped_agent};
    for (int i = 0; i < 2; i++) {
        char command[4200];
        snprintf(command, sizeof command, "%s docker-proxy --version && %s docker-proxy -v && %s --version", agents[i], agents[i], agents[i]);
        FILE *out = popen(command, "re");
        CHECK(out, "popen");
        char text[512] = {0};
        size_t n = fread(text, 1, sizeof text - 1, out);
        CHECK(n > 0 && strstr(text, "docker-proxy (longshore-agent)"), "'%s'", text);
        CHECK(pclose(out) == 0, "status");
    }
}

static void shipped_binary_never_uses_unix_sockets(void) {
    int daemon = listen_on("4098", 8);
    char command[4200];
    snprintf(command, sizeof command, "exec 3>&-; timeout 10 %s docker-proxy " GOOD " 2>err", shipped_agent);
    CHECK(system(command) != 0, "it got an answer");
    struct pollfd p = {.fd = daemon, .events = POLLIN};
    CHECK(poll(&p, 1, 0) == 0, "it called");
}

const struct test PROXY_TESTS[] = {
    {"proxy: sigint_releases_and_waits_for_the_daemon", sigint_releases_and_waits_for_the_daemon},
    {"proxy: sigterm_daemon_never_closes_exits_all_the_same", sigterm_daemon_never_closes_exits_all_the_same},
    {"proxy: flags_of_all_forms_are_understood", flags_of_all_forms_are_understood},
    {"proxy: ipv6_and_udp_are_passed_bare", ipv6_and_udp_are_passed_bare},
    {"proxy: use_listen_fd_closes_descriptor_4", use_listen_fd_closes_descriptor_4},
    {"proxy: bad_flags_are_reported", bad_flags_are_reported},
    {"proxy: error_text_reaches_dockerd_word_for_word", error_text_reaches_dockerd_word_for_word},
    {"proxy: error_text_with_control_characters_is_cleaned", error_text_with_control_characters_is_cleaned},
    {"proxy: answers_not_understood_are_errors", answers_not_understood_are_errors},
    {"proxy: daemon_absent_is_an_error", daemon_absent_is_an_error},
    {"proxy: key_that_never_comes_is_an_error", key_that_never_comes_is_an_error},
    {"proxy: key_that_comes_late_is_waited_for", key_that_comes_late_is_waited_for},
    {"proxy: silent_daemon_is_an_error_in_time", silent_daemon_is_an_error_in_time},
    {"proxy: daemon_closing_first_is_asked_again", daemon_closing_first_is_asked_again},
    {"proxy: gone_from_the_daemon_ends_the_proxy", gone_from_the_daemon_ends_the_proxy},
    {"proxy: lost_lease_is_taken_again_with_the_same_port", lost_lease_is_taken_again_with_the_same_port},
    {"proxy: lost_lease_daemon_absent_sigint_exits", lost_lease_daemon_absent_sigint_exits},
    {"proxy: sigint_before_the_answer_releases", sigint_before_the_answer_releases},
    {"proxy: killed_proxy_releases", killed_proxy_releases},
    {"proxy: killed_parent_releases", killed_parent_releases},
    {"proxy: without_status_pipe_errors_go_to_stderr", without_status_pipe_errors_go_to_stderr},
    {"proxy: without_status_pipe_the_port_is_held", without_status_pipe_the_port_is_held},
    {"proxy: version_is_printed_by_both_binaries", version_is_printed_by_both_binaries},
    {"proxy: shipped_binary_never_uses_unix_sockets", shipped_binary_never_uses_unix_sockets},
    {NULL, NULL},
};
