/* serve, hostnet: listeners that are told, and the rules that come of them (the test's shell keeps the script instead of running it). */
#include "harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_at(int family, const char *address, int type, int *port) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a = {.any = {.sa_family = (sa_family_t)family}};
    socklen_t len = sizeof a;
    int fd = socket(family, type, 0);
    if (fd < 0 && family == AF_INET6) {
        return -1;
    }
    inet_pton(family, address, family == AF_INET ? (void *)&a.v4.sin_addr : (void *)&a.v6.sin6_addr);
    CHECK(bind(fd, &a.any, family == AF_INET ? sizeof a.v4 : sizeof a.v6) == 0, "bind");
    CHECK(type == SOCK_DGRAM || listen(fd, 5) == 0, "listen");
    CHECK(getsockname(fd, &a.any, &len) == 0, "name");
    *port = ntohs(family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    return fd;
}

/* Other programs of this machine listen, too. */
static void expect_among_others(int session, const char *line) {
    const char *got;
    do {
        got = read_line(session);
        CHECK(*got, "the session ended before '%s'", line);
    } while (strcmp(got, line) != 0);
}

static int open_session(const char *words) {
    int c = connect_to("4100");
    write_all(c, words, strlen(words));
    const char *got = read_line(c);
    CHECK(strcmp(got, "ok") == 0, "'%s'", got);
    return c;
}

static bool script_has(const char *text, bool has) {
    static char script[1 << 20];
    FILE *f = fopen("script", "re");
    if (!f) {
        return false;
    }
    script[fread(script, 1, sizeof script - 1, f)] = '\0';
    fclose(f);
    return (strstr(script, text) != NULL) == has;
}

static void await_script(int changes, const char *text, bool has) {
    char event[4096];
    while (!script_has(text, has)) {
        CHECK(read(changes, event, sizeof event) > 0, "inotify");
    }
}

static int watch_script(void) {
    int changes = inotify_init1(IN_CLOEXEC);
    CHECK(changes >= 0 && inotify_add_watch(changes, ".", IN_MOVED_TO) >= 0, "inotify");
    return changes;
}

static void listener_is_told_with_its_rule_and_its_end(void) {
    int port, changes = watch_script();
    pid_t agent = start_serve();
    int listener = listen_at(AF_INET, "127.0.0.1", SOCK_STREAM, &port);
    int c = open_session("hostnet 192.168.65.254 fdc4:f303:9324::254\n");
    char line[128], rule[128];
    snprintf(line, sizeof line, "+ tcp 127.0.0.1 %d", port);
    snprintf(rule, sizeof rule, "-A LONGSHORE-IN -p tcp --dport %d -j DNAT --to-destination 127.0.0.1\n", port);
    expect_among_others(c, line);
    await_script(changes, rule, true);
    CHECK(script_has("*nat", true) && script_has("ip6tables-restore", true), "both families");

    close(listener);
    line[0] = '-';
    expect_among_others(c, line);
    await_script(changes, rule, false);
    stop(agent);
}

static void listener_of_both_families_is_dual(void) {
    int port;
    pid_t agent = start_serve();
    if (listen_at(AF_INET6, "::", SOCK_STREAM, &port) >= 0) {
        int c = open_session("hostnet 192.168.65.254 -\n");
        char line[128];
        snprintf(line, sizeof line, "+ tcp :: %d dual", port);
        expect_among_others(c, line);
    }
    stop(agent);
}

static void datagram_socket_on_an_ephemeral_port_is_told_when_it_stays(void) {
    int port;
    pid_t agent = start_serve();
    listen_at(AF_INET, "0.0.0.0", SOCK_DGRAM, &port);
    int c = open_session("hostnet 192.168.65.254 -\n");
    char line[128];
    snprintf(line, sizeof line, "+ udp 0.0.0.0 %d", port);
    expect_among_others(c, line);
    stop(agent);
}

static void ports_of_the_host_become_rules_but_the_guests_own_come_first(void) {
    int port, changes = watch_script();
    pid_t agent = start_serve();
    int listener = listen_at(AF_INET, "0.0.0.0", SOCK_STREAM, &port);
    int c = open_session("hostnet 192.168.65.254 -\n");
    char line[128], rule[160];
    snprintf(line, sizeof line, "host + tcp %d\nhost + tcp 1\n", port);
    snprintf(rule, sizeof rule, "-A LONGSHORE-OUT -d 127.0.0.0/8 -p tcp --dport %d -j DNAT --to-destination 192.168.65.254\n", port);
    snprintf(line + 64, 64, "+ tcp 0.0.0.0 %d", port);
    expect_among_others(c, line + 64);
    write_all(c, line, strlen(line));
    await_script(changes, "-p tcp --dport 1 -j DNAT --to-destination 192.168.65.254\n", true);
    CHECK(script_has(rule, false), "the guest's own");

    close(listener);
    await_script(changes, rule, true);
    write_all(c, "host - tcp 1\n", 13);
    await_script(changes, "-p tcp --dport 1 -j DNAT", false);
    stop(agent);
}

static void end_of_the_session_takes_the_rules_away(void) {
    int changes = watch_script();
    pid_t agent = start_serve();
    int c = open_session("hostnet 192.168.65.254 -\n");
    await_script(changes, "-I PREROUTING", true);
    close(c);
    await_script(changes, "-D PREROUTING", true);
    await_script(changes, "--noflush", false);
    stop(agent);
}

static void second_session_ends_the_first(void) {
    pid_t agent = start_serve();
    int first = open_session("hostnet 192.168.65.254 -\n");
    open_session("hostnet 192.168.65.254 -\n");
    CHECK(ends(first), "the first goes on");
    stop(agent);
}

static void bad_words_are_refused(void) {
    static const char *const WORDS[] = {"hostnet \n", "hostnet 1.2.3.4\n", "hostnet 1.2.3 -\n", "hostnet 1.2.3.4 ::g\n", "host + tcp 1\n",
                                        "host \n"};
    pid_t agent = start_serve();
    int c = connect_to("4100");
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        write_all(c, WORDS[i], strlen(WORDS[i]));
        const char *got = read_line(c);
        CHECK(strncmp(got, "err bad ", 8) == 0, "%s: '%s'", WORDS[i], got);
    }
    stop(agent);
}

const struct test HOSTNET_TESTS[] = {
    {"hostnet: listener_is_told_with_its_rule_and_its_end", listener_is_told_with_its_rule_and_its_end},
    {"hostnet: listener_of_both_families_is_dual", listener_of_both_families_is_dual},
    {"hostnet: datagram_socket_on_an_ephemeral_port_is_told_when_it_stays",
     datagram_socket_on_an_ephemeral_port_is_told_when_it_stays},
    {"hostnet: ports_of_the_host_become_rules_but_the_guests_own_come_first",
     ports_of_the_host_become_rules_but_the_guests_own_come_first},
    {"hostnet: end_of_the_session_takes_the_rules_away", end_of_the_session_takes_the_rules_away},
    {"hostnet: second_session_ends_the_first", second_session_ends_the_first},
    {"hostnet: bad_words_are_refused", bad_words_are_refused},
    {NULL, NULL},
};
