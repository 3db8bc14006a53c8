/*
 * A test is a function that runs in a process of its own, in an empty directory, with a time limit. CHECK ends it.
 * Waiting is for events (poll, waitpid), never for time.
 */
#ifndef LONGSHORE_HARNESS_H
#define LONGSHORE_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#define CHECK(condition, ...) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "    %s:%d: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__); \
            fprintf(stderr, "\n"); \
            exit(1); \
        } \
    } while (0)

struct test {
    const char *name;
    void (*run)(void);
};

extern const struct test PROXY_TESTS[], RELAY_TESTS[], CONTROL_TESTS[], SOCKETS_TESTS[], HOSTNET_TESTS[], IPTABLES_TESTS[],
    EVENTS_TESTS[];

/* The binaries under test: with sanitizers and Unix sockets; and the one that is shipped. */
extern const char *test_agent, *shipped_agent;

/* A listening Unix socket in the test's directory. */
int listen_on(const char *name, int backlog);
/* Waits for a caller. */
int accept_from(int listener);
/* Connects; -1 if nobody listens. */
int connect_to(const char *name);

/* The agent as server, once it answers. */
pid_t start_serve(void);
/* Ends with SIGTERM and reaps. */
void stop(pid_t pid);
/* Exit status, or -signal. */
int wait_for_exit(pid_t pid);

void write_all(int fd, const void *bytes, size_t len);
/* Reads until EOF or `size`; gives the number of bytes. */
size_t read_all(int fd, void *bytes, size_t size);
/* One line, without its LF; "" at EOF. */
const char *read_line(int fd);
/* True once EOF or an error is there to read; skips data. */
bool ends(int fd);

/* Bytes of a seeded pseudo-random stream, the same for the same seed; `at` is the position in it. */
void fill(uint8_t *bytes, size_t len, uint32_t seed, uint64_t at);
/* Writes `len` bytes of the stream. */
void send_stream(int fd, uint32_t seed, uint64_t len);
/* Reads until EOF or `len` bytes and compares each. */
uint64_t check_stream(int fd, uint32_t seed, uint64_t len);

#endif
