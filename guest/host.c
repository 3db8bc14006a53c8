/* What the agent does to its machine, and a few text helpers. The test build does it to files in its directory instead. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef AGENT_TEST

int host_set_clock(int64_t unix_nanos) {
    struct timespec t = {.tv_sec = unix_nanos / 1000000000, .tv_nsec = unix_nanos % 1000000000};
    return clock_settime(CLOCK_REALTIME, &t);
}

void host_exec_poweroff(void) {
    /* The image's own program knows the order (Engine, data disk, power); the plain one is for foreign images. */
    execl("/usr/local/sbin/longshore-poweroff", "longshore-poweroff", (char *)NULL);
    execl("/sbin/poweroff", "poweroff", (char *)NULL);
}

void host_exec_engine(const char *word) {
    execl("/usr/local/lib/longshore/engine-control", "engine-control", word, (char *)NULL);
}

const char *host_engine_socket(void) {
    return ENGINE_SOCKET;
}

void host_exec_shell(void) {
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    execl("/bin/sh", "sh", "-s", (char *)NULL);
}

void host_exec_iptables(const char *name, char **argv) {
    execv(strcmp(name, "ip6tables") == 0 ? "/usr/sbin/ip6tables" : "/usr/sbin/iptables", argv);
}

/* The guest's services run in the root control group, every container in one of its own. */
bool host_is_own_process(const char *pid) {
    char path[300], group[8] = "";
    snprintf(path, sizeof path, "/proc/%s/cgroup", pid);
    FILE *f = fopen(path, "re");
    if (!f) {
        return false;
    }
    bool own = fgets(group, sizeof group, f) && strcmp(group, "0::/\n") == 0;
    fclose(f);
    return own;
}

const char *host_services(void) {
    if (mkdir(HOST_SERVICES, 0755) < 0 && errno != EEXIST) {
        perror("longshore-agent: " HOST_SERVICES);
    }
    return HOST_SERVICES;
}

const char *host_shared_folders(void) {
    return SHARED_FOLDERS;
}

static void key_path(char *path, size_t size, const char *name) {
    if (mkdir(KEY_DIRECTORY, 0700) < 0 && errno != EEXIST) {
        perror("longshore-agent: " KEY_DIRECTORY);
    }
    snprintf(path, size, "%s/%s", KEY_DIRECTORY, name);
}

#else

static void test_path(char *path, size_t size, const char *name) {
    const char *dir = getenv("AGENT_TEST_DIR");
    snprintf(path, size, "%s/%s", dir ? dir : ".", name);
}

int host_set_clock(int64_t unix_nanos) {
    char path[256];
    test_path(path, sizeof path, "clock");
    FILE *f = fopen(path, "we");
    if (!f) {
        return -1;
    }
    fprintf(f, "%lld\n", (long long)unix_nanos);
    return fclose(f);
}

void host_exec_poweroff(void) {
    char path[256];
    test_path(path, sizeof path, "poweroff");
    execl(path, "poweroff", (char *)NULL);
}

void host_exec_engine(const char *word) {
    char path[256];
    test_path(path, sizeof path, "engine");
    execl(path, "engine", word, (char *)NULL);
}

void host_exec_shell(void) {
    char path[300];
    test_path(path, sizeof path, "script");
    char command[1000];
    snprintf(command, sizeof command, "cat > %s.new && mv %s.new %s", path, path, path);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
}

void host_exec_iptables(const char *name, char **argv) {
    char path[300], file[32];
    snprintf(file, sizeof file, "real-%s", name);
    test_path(path, sizeof path, file);
    execv(path, argv);
}

/* The tests' processes share a control group; their "containers" are what is not the agent itself. */
bool host_is_own_process(const char *pid) {
    return atoi(pid) == getpid();
}

const char *host_engine_socket(void) {
    static char path[256];
    test_path(path, sizeof path, "docker.sock");
    return path;
}

const char *host_services(void) {
    const char *dir = getenv("AGENT_TEST_DIR");
    return dir ? dir : ".";
}

const char *host_shared_folders(void) {
    static char path[256];
    test_path(path, sizeof path, "shared");
    return path;
}

static void key_path(char *path, size_t size, const char *name) {
    test_path(path, size, name);
}

#endif

/* Replaced as a whole: docker-proxy reads it at any time. */
int host_keep_key(const char *key) {
    char path[256], fresh[256];
    key_path(path, sizeof path, "publish-key");
    key_path(fresh, sizeof fresh, "publish-key.new");
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -1;
    }
    bool written = write(fd, key, KEY_DIGITS) == KEY_DIGITS;
    return close(fd) == 0 && written ? rename(fresh, path) : -1;
}

static void ca_path(char *path, size_t size, const char *name) {
    char file[64];
    key_path(path, size, "ca");
    if (mkdir(path, 0755) < 0 && errno != EEXIST) {
        perror("longshore-agent: the directory of authorities");
    }
    snprintf(file, sizeof file, "ca/%s", name);
    key_path(path, size, file);
}

int host_authorities_begin(void) {
    char fresh[256];
    ca_path(fresh, sizeof fresh, "host.pem.new");
    return open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
}

/* Replaced as a whole: the Engine reads it when it makes its first TLS connection. */
int host_authorities_end(int fd) {
    char path[256], fresh[256];
    ca_path(path, sizeof path, "host.pem");
    ca_path(fresh, sizeof fresh, "host.pem.new");
    return close(fd) == 0 ? rename(fresh, path) : -1;
}

int host_read_key(char key[KEY_DIGITS + 1]) {
    char path[256];
    key_path(path, sizeof path, "publish-key");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t n = read(fd, key, KEY_DIGITS);
    close(fd);
    key[KEY_DIGITS] = '\0';
    errno = EINVAL;
    return n == KEY_DIGITS ? 0 : -1;
}

void copy_printable(char *to, unsigned size, const char *from) {
    unsigned n = 0;
    for (; *from != '\0' && n + 1 < size; from++) {
        to[n++] = *from >= ' ' && *from <= '~' ? *from : '?';
    }
    to[n] = '\0';
}

bool parse_decimal(const char *text, int64_t min, int64_t max, int64_t *value) {
    int64_t v = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        int digit = *text - '0';
        if (digit < 0 || digit > 9 || v > (INT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *value = v;
    return v >= min && v <= max;
}

int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
