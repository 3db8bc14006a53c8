/* serve, port 4100: lines good and bad. */
#include "harness.h"

#include "agent.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void expect_answer(int fd, const char *answer) {
    const char *got = read_line(fd);
    CHECK(strcmp(got, answer) == 0, "'%s'", got);
}

static void ask(int fd, const char *text, const char *answer) {
    write_all(fd, text, strlen(text));
    expect_answer(fd, answer);
}

static void lines_are_answered_in_order(void) {
    pid_t agent = start_serve();
    int c = connect_to("4100");
    ask(c, "ping\n", "ok " AGENT_VERSION);
    ask(c, "ping\r\n", "ok " AGENT_VERSION);
    write_all(c, "ping\nnonsense\n\nping\n", 20);
    expect_answer(c, "ok " AGENT_VERSION);
    expect_answer(c, "err unknown command");
    expect_answer(c, "err unknown command");
    expect_answer(c, "ok " AGENT_VERSION);
    for (const char *at = "ping\n"; *at; at++) {
        write_all(c, at, 1);
    }
    expect_answer(c, "ok " AGENT_VERSION);
    write_all(c, "pi", 2);
    shutdown(c, SHUT_WR);
    CHECK(ends(c), "end");
    stop(agent);
}

static void line_of_512_bytes_closes(void) {
    pid_t agent = start_serve();
    char line[LINE_BYTES + 1];
    memset(line, 'a', sizeof line);
    line[LINE_BYTES - 1] = '\n';
    int c = connect_to("4100");
    write_all(c, line, LINE_BYTES);
    expect_answer(c, "err unknown command");
    line[LINE_BYTES - 1] = 'a';
    write_all(c, line, LINE_BYTES);
    expect_answer(c, "err line too long");
    CHECK(ends(c), "end");
    stop(agent);
}

static void time_sets_the_clock(void) {
    pid_t agent = start_serve();
    int c = connect_to("4100");
    ask(c, "time 1800000000123456789\n", "ok");
    int clock = open("clock", O_RDONLY | O_CLOEXEC);
    CHECK(strcmp(read_line(clock), "1800000000123456789") == 0, "clock");
    static const char *const BAD[] = {
        "time \n", "time 0\n", "time -1\n", "time +1800000000123456789\n", "time 1800000000123456789 \n",
        "time 0x1\n", "time 9223372036854775808\n", "time 99999999999999999999999999\n", "time 1577836799999999999\n",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        ask(c, BAD[i], "err bad time");
    }
    ask(c, "time\n", "err unknown command");
    stop(agent);
}

static void key_is_kept_for_root_alone(void) {
    pid_t agent = start_serve();
    int c = connect_to("4100");
    ask(c, "key 0123456789abcdef0123456789abcdef\n", "ok");
    ask(c, "key fedcba98765432100123456789abcdef\n", "ok");
    static const char *const BAD[] = {
        "key \n", "key 0123456789abcdef0123456789abcde\n", "key 0123456789abcdef0123456789abcdef0\n",
        "key 0123456789ABCDEF0123456789abcdef\n", "key 0123456789abcdef0123456789abcde \n",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        ask(c, BAD[i], "err bad key");
    }
    ask(c, "key\n", "err unknown command");
    int key = open("publish-key", O_RDONLY | O_CLOEXEC);
    CHECK(strcmp(read_line(key), "fedcba98765432100123456789abcdef") == 0, "key");
    struct stat s;
    CHECK(fstat(key, &s) == 0 && (s.st_mode & 0777) == 0600, "mode %o", s.st_mode);
    stop(agent);
}

static void expect_file(const char *path, const char *text) {
    char got[4096] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, got, sizeof got - 1);
    CHECK(n == (ssize_t)strlen(text) && strcmp(got, text) == 0, "'%s'", got);
    close(fd);
}

static void authorities_take_the_place_of_the_former(void) {
    pid_t agent = start_serve();
    int c = connect_to("4100");
    ask(c, "authorities\n| -----BEGIN CERTIFICATE-----\n| AAAA\n| -----END CERTIFICATE-----\nauthorities end\n", "ok");
    expect_file("ca/host.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    ask(c, "authorities\nauthorities end\n", "ok");
    expect_file("ca/host.pem", "");
    ask(c, "authorities\n| half\nping\n", "ok " AGENT_VERSION);
    close(c);
    c = connect_to("4100");
    ask(c, "authorities end\n", "err can't keep the authorities: Invalid argument");
    ask(c, "| stray\nping\n", "ok " AGENT_VERSION);
    expect_file("ca/host.pem", "");
    stop(agent);
}

static void too_many_authorities_are_refused(void) {
    pid_t agent = start_serve();
    int c = connect_to("4100");
    write_all(c, "authorities\n", 12);
    char line[LINE_BYTES - 1];
    memset(line, 'A', sizeof line);
    memcpy(line, "| ", 2);
    line[sizeof line - 1] = '\n';
    for (size_t sent = 0; sent < AUTHORITIES_BYTES + 2 * sizeof line; sent += sizeof line - 2) {
        write_all(c, line, sizeof line);
    }
    ask(c, "authorities end\n", "err can't keep the authorities: File too large");
    ask(c, "authorities\n| A\nauthorities end\n", "ok");
    expect_file("ca/host.pem", "A\n");
    stop(agent);
}

/* The program waits for a line of a pipe: the agent goes on meanwhile, and the answer comes when it has ended. */
static void engine_is_answered_when_the_program_has_ended(void) {
    FILE *script = fopen("engine", "we");
    fputs("#!/bin/sh\nread status < go\necho $1 >> engine-words\nexit $status\n", script);
    fclose(script);
    chmod("engine", 0700);
    CHECK(mkfifo("go", 0600) == 0, "mkfifo");
    pid_t agent = start_serve();
    int restart = connect_to("4100"), other = connect_to("4100");
    write_all(restart, "engine restart\n", 15);
    ask(other, "ping\n", "ok " AGENT_VERSION);
    int go = open("go", O_WRONLY | O_CLOEXEC);
    ask(other, "ping\n", "ok " AGENT_VERSION);
    CHECK(dprintf(go, "0\n") == 2, "go");
    close(go);
    CHECK(strcmp(read_line(restart), "ok") == 0, "answer");
    char none;
    CHECK(read(restart, &none, 1) == 0, "the session goes on");
    expect_file("engine-words", "restart\n");
    restart = connect_to("4100");
    write_all(restart, "engine live-on\n", 15);
    go = open("go", O_WRONLY | O_CLOEXEC);
    CHECK(dprintf(go, "1\n") == 2, "go");
    close(go);
    CHECK(strcmp(read_line(restart), "err the guest's program for it failed") == 0, "answer");
    ask(other, "engine\n", "err unknown command");
    ask(other, "engine reboot\n", "err bad word");
    stop(agent);
}

static void poweroff_runs_the_program_once(void) {
    FILE *script = fopen("poweroff", "we");
    CHECK(script, "script");
    fprintf(script, "#!/bin/sh\necho off >> log\n");
    fclose(script);
    chmod("poweroff", 0700);
    mkfifo("log", 0600);
    int log = open("log", O_RDWR | O_CLOEXEC);
    pid_t agent = start_serve();
    int c = connect_to("4100");
    ask(c, "poweroff\n", "ok");
    CHECK(strcmp(read_line(log), "off") == 0, "log");
    ask(c, "poweroff\n", "ok");
    ask(c, "ping\n", "ok " AGENT_VERSION); /* it serves until it is stopped */
    struct pollfd again = {.fd = log, .events = POLLIN};
    CHECK(poll(&again, 1, 200) == 0, "ran twice");
    stop(agent);
}

static void garbage_never_hurts(void) {
    pid_t agent = start_serve();
    for (uint32_t seed = 1; seed <= 200; seed++) {
        uint8_t bytes[1500];
        fill(bytes, sizeof bytes, seed, 0);
        for (size_t i = 0; i < sizeof bytes; i++) {
            if (bytes[i] < 8) {
                bytes[i] = "\n\r \0tpi6"[bytes[i]];
            }
        }
        int c = connect_to("4100");
        send(c, bytes, 1 + seed * 7, MSG_NOSIGNAL);
        shutdown(c, SHUT_WR);
        CHECK(ends(c), "seed %u", seed);
        close(c);
    }
    int c = connect_to("4100");
    ask(c, "ping\n", "ok " AGENT_VERSION);
    stop(agent);
}

/* Asks for ever and never reads: it is dropped, the others are served. */
static void caller_that_never_reads_is_dropped(void) {
    pid_t agent = start_serve();
    int deaf = connect_to("4100");
    char lines[500];
    for (size_t i = 0; i < sizeof lines; i++) {
        lines[i] = "ping\n"[i % 5];
    }
    while (send(deaf, lines, sizeof lines, MSG_NOSIGNAL) > 0) {
    }
    int c = connect_to("4100");
    ask(c, "ping\n", "ok " AGENT_VERSION);
    stop(agent);
}

/* As a child has it between fork and exec: then the agent's close is not the last, and epoll would go on telling of it. */
static void closed_stream_that_another_process_has_is_forgotten(void) {
    pid_t agent = start_serve();
    int c = connect_to("4100"), copies = 0;
    ask(c, "ping\n", "ok " AGENT_VERSION);
    int process = (int)syscall(SYS_pidfd_open, agent, 0);
    CHECK(process >= 0, "pidfd");
    for (int theirs = 3; theirs < 64; theirs++) {
        copies += syscall(SYS_pidfd_getfd, process, theirs, 0) >= 0;
    }
    CHECK(copies > 1, "no copies");
    close(c);
    for (int i = 0; i < 10; i++) {
        int next = connect_to("4100");
        ask(next, "ping\n", "ok " AGENT_VERSION);
        close(next);
    }
    stop(agent);
}

const struct test CONTROL_TESTS[] = {
    {"control: lines_are_answered_in_order", lines_are_answered_in_order},
    {"control: line_of_512_bytes_closes", line_of_512_bytes_closes},
    {"control: time_sets_the_clock", time_sets_the_clock},
    {"control: key_is_kept_for_root_alone", key_is_kept_for_root_alone},
    {"control: authorities_take_the_place_of_the_former", authorities_take_the_place_of_the_former},
    {"control: too_many_authorities_are_refused", too_many_authorities_are_refused},
    {"control: engine_is_answered_when_the_program_has_ended", engine_is_answered_when_the_program_has_ended},
    {"control: poweroff_runs_the_program_once", poweroff_runs_the_program_once},
    {"control: garbage_never_hurts", garbage_never_hurts},
    {"control: caller_that_never_reads_is_dropped", caller_that_never_reads_is_dropped},
    {"control: closed_stream_that_another_process_has_is_forgotten", closed_stream_that_another_process_has_is_forgotten},
    {NULL, NULL},
};
