/* iptables: what the Engine says to it, and what the system's iptables hears. */
#include "harness.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_real(const char *name) {
    char path[64];
    snprintf(path, sizeof path, "real-%s", name);
    FILE *f = fopen(path, "we");
    CHECK(f && fprintf(f, "#!/bin/sh\necho \"${0##*/} $*\" >heard\nexit 3\n") > 0 && fclose(f) == 0, "script");
    CHECK(chmod(path, 0755) == 0, "mode");
}

/* `said` is split at blanks. */
static void check(const char *name, const char *said, const char *heard) {
    put_real(name);
    pid_t pid = fork();
    if (pid == 0) {
        char copy[512], program[32], *words[64] = {program};
        int n = 1;
        snprintf(program, sizeof program, "/some/where/%s", name);
        snprintf(copy, sizeof copy, "%s", said);
        for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) {
            words[n++] = w;
        }
        execv(test_agent, words);
        _exit(127);
    }
    CHECK(wait_for_exit(pid) == 3, "the status of the system's program is ours");
    char line[600] = "", want[600];
    FILE *f = fopen("heard", "re");
    CHECK(f && fgets(line, sizeof line, f) && fclose(f) == 0, "nothing was called");
    snprintf(want, sizeof want, "real-%s %s\n", name, heard);
    CHECK(strcmp(line, want) == 0, "'%s'", line);
}

static void rule_of_a_network_goes_to_the_end(void) {
    check("iptables", "--wait -t nat -I POSTROUTING -s 172.18.0.0/16 ! -o br-1 -j MASQUERADE",
          "--wait -t nat -A POSTROUTING -s 172.18.0.0/16 ! -o br-1 -j MASQUERADE");
    check("ip6tables", "--wait --table nat --insert POSTROUTING -s fd00::/64 ! -o br-1 -j MASQUERADE",
          "--wait --table nat -A POSTROUTING -s fd00::/64 ! -o br-1 -j MASQUERADE");
    check("iptables", "-t nat -I POSTROUTING", "-t nat -A POSTROUTING");
}

static void everything_else_is_passed_as_it_is(void) {
    static const char *const OTHERS[] = {
        "--wait -t nat -C POSTROUTING -s 172.18.0.0/16 ! -o br-1 -j MASQUERADE",
        "--wait -t nat -D POSTROUTING -s 172.18.0.0/16 ! -o br-1 -j MASQUERADE",
        "--wait -t nat -I POSTROUTING 2 -s 172.18.0.0/16 -j MASQUERADE",
        "--wait -t nat -I DOCKER -i br-1 -j RETURN",
        "--wait -t nat -I PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        "--wait -t mangle -I POSTROUTING -j ACCEPT",
        "--wait -t filter -I FORWARD -j DOCKER-USER",
        "--wait -I POSTROUTING -j ACCEPT",
        "--version",
        "",
    };
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        check("iptables", OTHERS[i], OTHERS[i]);
    }
}

static void absent_program_is_said(void) {
    pid_t pid = fork();
    if (pid == 0) {
        char name[] = "iptables", *words[] = {name, NULL};
        CHECK(freopen("said", "w", stderr), "stderr");
        execv(test_agent, words);
        _exit(1);
    }
    CHECK(wait_for_exit(pid) == 127, "status");
    char line[200] = "";
    FILE *f = fopen("said", "re");
    CHECK(f && fgets(line, sizeof line, f) && fclose(f) == 0, "nothing was said");
    CHECK(strcmp(line, "iptables: No such file or directory\n") == 0, "'%s'", line);
}

const struct test IPTABLES_TESTS[] = {
    {"iptables: rule_of_a_network_goes_to_the_end", rule_of_a_network_goes_to_the_end},
    {"iptables: everything_else_is_passed_as_it_is", everything_else_is_passed_as_it_is},
    {"iptables: absent_program_is_said", absent_program_is_said},
    {NULL, NULL},
};
