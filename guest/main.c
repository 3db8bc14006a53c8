/* Chooses the personality: by the name the program was called by, or by its first argument. */
#include "agent.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct personality {
    const char *name;
    int (*run)(int argc, char **argv);
} PERSONALITIES[] = {
    {"docker-proxy", docker_proxy_main},
    {"iptables", iptables_main},
    {"ip6tables", iptables_main},
    {"serve", serve_main},
};

static const struct personality *find(const char *name) {
    for (size_t i = 0; i < sizeof PERSONALITIES / sizeof PERSONALITIES[0]; i++) {
        if (strcmp(PERSONALITIES[i].name, name) == 0) {
            return &PERSONALITIES[i];
        }
    }
    return NULL;
}

/* A socket must never become descriptor 0, 1 or 2 and receive our messages. */
static void open_standard_descriptors(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            if (open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd) {
                _exit(111);
            }
        }
    }
}

int main(int argc, char **argv) {
    open_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    if (argc > 0) {
        const char *slash = strrchr(argv[0], '/');
        const struct personality *p = find(slash ? slash + 1 : argv[0]);
        if (p) {
            return p->run(argc, argv);
        }
    }
    if (argc > 1) {
        const struct personality *p = find(argv[1]);
        if (p) {
            return p->run(argc - 1, argv + 1);
        }
        if (strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "--version") == 0) {
            printf("longshore-agent %s\n", AGENT_VERSION);
            return 0;
        }
    }
    fprintf(stderr, "usage: longshore-agent serve | docker-proxy [flags] | --version\n");
    return 2;
}
