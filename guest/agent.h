/*
 * longshore-agent: the one program of ours inside the guest.
 *
 * What both sides have to agree on: vsock ports and line formats. The daemon's copy of the numbers is
 * dev.longshore.config.VsockPorts.
 */
#ifndef LONGSHORE_AGENT_H
#define LONGSHORE_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#ifndef AGENT_VERSION
#define AGENT_VERSION "dev"
#endif

/* The daemon's address: VMADDR_CID_HOST of linux/vm_sockets.h. */
#define HOST_CID 2u

/* In the guest: byte-transparent relay to the Engine's socket. */
#define PORT_DOCKER_API 2375u
/* In the guest: control lines, see control.c. */
#define PORT_GUEST_CONTROL 4100u
/* On the host: one connection per published port, which lives as long as the connection. */
#define PORT_PUBLISH 4098u
/* On the host: a socket of the host for callers in the guest. */
#define PORT_HOST_SOCKET 4099u

/* Longest line of either protocol, its LF included. */
#define LINE_BYTES 512

/* Of certificates, as text: a host's whole store has a quarter of a megabyte. */
#define AUTHORITIES_BYTES (4 << 20)

#define ENGINE_SOCKET "/run/docker.sock"
/* Where Docker Desktop has its own, so that what people have written down works. */
#define HOST_SERVICES "/run/host-services"
/* Where the host's shared folders are mounted, under their own paths. */
#define SHARED_FOLDERS "/host"

/* Where the server leaves what docker-proxy has to begin its requests with: readable for root of the guest, not for containers. */
#define KEY_DIRECTORY "/run/longshore"
#define KEY_DIGITS 32

/* Personalities: each takes its own argv (argv[0] is its name) and returns the process's exit status. */
int docker_proxy_main(int argc, char **argv);
int serve_main(int argc, char **argv);
int iptables_main(int argc, char **argv);

/* Sets the wall clock, nanoseconds since 1970. 0, or -1 with errno. */
int host_set_clock(int64_t unix_nanos);
/* Replaces the (forked) process by the image's power-off program. Returns only on failure. */
void host_exec_poweroff(void);
/* Replaces the (forked) process by the image's program for the Engine. Returns only on failure. */
void host_exec_engine(const char *word);
/* Keeps the publishing key, KEY_DIGITS characters. 0, or -1 with errno. */
int host_keep_key(const char *key);

/* A file of certificates that takes the place of the former at the end; -1 and errno if there can't be one. */
int host_authorities_begin(void);
int host_authorities_end(int fd);
/* Gives the key kept last, terminated. 0, or -1 with errno. */
int host_read_key(char key[KEY_DIGITS + 1]);
/* Where the Engine listens. */
const char *host_engine_socket(void);
/* The directory of sockets that lead to the host, made if need be. */
const char *host_services(void);

/* Where the host's shared folders are mounted. */
const char *host_shared_folders(void);

/* Replaces the (forked) process by a shell that reads commands from standard input. Returns only on failure. */
void host_exec_shell(void);
/* Replaces this process by the system's program of that name: iptables or ip6tables. Returns only on failure, with errno. */
void host_exec_iptables(const char *name, char **argv);
/* True of the guest's own programs: those outside of containers. */
bool host_is_own_process(const char *pid);

/* Copies printable ASCII of `from` to `to` (of `size` bytes, always terminated), the rest as '?'. */
void copy_printable(char *to, unsigned size, const char *from);
/* Digits only, no sign, no blanks, `min`..`max`. */
bool parse_decimal(const char *text, int64_t min, int64_t max, int64_t *value);
/* Monotonic milliseconds. */
int64_t now_ms(void);

#endif
