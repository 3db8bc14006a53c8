/*
 * Theory of operation.
 *
 * Guest to host and host to guest alike are the packet filter's work, not ours: no relay, so both protocols and both families
 * behave the same, and a connection costs nothing here.
 *
 * Host to guest: the daemon listens on the host's loopback for each listener told here, and calls the guest's address on its
 * network. A listener on any address is reached so; for one on the guest's loopback, PREROUTING changes the destination. That is a
 * martian unless route_localnet is set, and in IPv6 unless the card has a local route to ::1.
 *
 * Guest to host: OUTPUT changes the destination from loopback to the host's address for ports which the host serves and nobody in
 * the guest has, since the guest's own come first. The other way round, everything but what the guest has, would break programs
 * that connect to a port they have opened a moment before. Ports of the host are reserved, so that none is given to a program of the guest that
 * asks for any. UDP that was sent before a rule was there is known to the connection tracker, and would pass it by: forgotten.
 *
 * Listeners are looked for twice a second while there is a session, by sock_diag(7); the kernel tells nobody when one comes. What the guest's own
 * programs have, which run in the root control group, is not told. A UDP socket on a port of the ephemeral range is a client's more
 * often than not: told when it has been there for two seconds.
 */
#include "hostnet.h"

#include "agent.h"
#include "loop.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SCAN_MS 500
#define EPHEMERAL_SCANS 4
#define FIRST_EPHEMERAL 32768
#define MAX_LISTENERS 1024
#define MAX_HOST_PORTS 1024
/* Linux net/tcp_states.h. */
#define TCP_CLOSE_STATE 7
#define TCP_LISTEN_STATE 10

struct listener {
    uint8_t protocol, family;
    bool v6only, own, told, there;
    unsigned scans;
    uint16_t port;
    uint32_t inode;
    uint8_t address[16];
};

struct host_port {
    uint8_t protocol;
    bool fresh; /* UDP that was sent to it before is to be forgotten when its rule is there */
    uint16_t port;
};

static int session = -1;
static char host4[INET_ADDRSTRLEN], host6[INET6_ADDRSTRLEN]; /* host6 is empty without IPv6 */
static struct watch timer, applying;
static bool timer_open, busy, stale;
static bool installed; /* the script has run, so that its rules have to be taken away */
static struct listener listeners[MAX_LISTENERS];
static size_t listener_count;
static struct host_port host_ports[MAX_HOST_PORTS];
static size_t host_port_count;

static const char *word(uint8_t protocol) {
    return protocol == IPPROTO_TCP ? "tcp" : "udp";
}

/* ---- who listens ---- */

static struct listener *find_listener(const struct listener *like) {
    for (size_t i = 0; i < listener_count; i++) {
        struct listener *l = &listeners[i];
        if (l->protocol == like->protocol && l->family == like->family && l->port == like->port && l->v6only == like->v6only
            && memcmp(l->address, like->address, 16) == 0) {
            return l;
        }
    }
    return NULL;
}

static void found(const struct listener *seen) {
    struct listener *l = find_listener(seen);
    if (l) {
        l->scans += !l->there; /* several sockets may share an address */
        l->there = true;
        if (l->inode != seen->inode && !l->told) {
            l->inode = seen->inode;
        }
    } else if (listener_count < MAX_LISTENERS) {
        listeners[listener_count] = *seen;
        listeners[listener_count++].there = true;
    }
}

static void take_socket(const struct nlmsghdr *h, uint8_t protocol) {
    const struct inet_diag_msg *m = NLMSG_DATA(h);
    struct listener seen = {.protocol = protocol, .family = m->idiag_family, .port = ntohs(m->id.idiag_sport), .inode = m->idiag_inode};
    memcpy(seen.address, m->id.idiag_src, m->idiag_family == AF_INET ? 4 : 16);
    if (seen.family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)m->id.idiag_src)) { /* a JVM's, for instance */
        seen.family = AF_INET;
        memset(seen.address, 0, sizeof seen.address);
        memcpy(seen.address, (const char *)m->id.idiag_src + 12, 4);
    }
    int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof *m));
    for (const struct nlattr *a = (const struct nlattr *)(m + 1); left >= (int)sizeof *a && a->nla_len >= sizeof *a && a->nla_len <= left;
         left -= (int)NLA_ALIGN(a->nla_len), a = (const struct nlattr *)((const char *)a + NLA_ALIGN(a->nla_len))) {
        if (a->nla_type == INET_DIAG_SKV6ONLY) {
            seen.v6only = *(const uint8_t *)(a + 1) != 0;
        }
    }
    if (seen.port != 0 && seen.inode != 0) { /* a kernel's socket has no inode */
        found(&seen);
    }
}

/* Sends a request and gives every message of the answer to `take`. False if the kernel refused. */
static bool netlink_ask(int protocol, const void *request, size_t len, void (*take)(const struct nlmsghdr *, void *), void *with) {
    static union {
        struct nlmsghdr header;
        char bytes[32768];
    } buffer;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        return false;
    }
    bool more = send(fd, request, len, 0) == (ssize_t)len, good = false;
    while (more) {
        ssize_t n = recv(fd, &buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        more = n > 0;
        for (struct nlmsghdr *h = &buffer.header; more && NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
                good = h->nlmsg_type == NLMSG_DONE || ((struct nlmsgerr *)NLMSG_DATA(h))->error == 0;
                more = false;
            } else {
                take(h, with);
            }
        }
    }
    close(fd);
    return good;
}

static void on_socket(const struct nlmsghdr *h, void *protocol) {
    if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg))) {
        take_socket(h, *(uint8_t *)protocol);
    }
}

static bool scan(uint8_t family, uint8_t protocol) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } q = {
        .header = {.nlmsg_len = sizeof q, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.sdiag_family = family,
                    .sdiag_protocol = protocol,
                    .idiag_states = 1u << (protocol == IPPROTO_TCP ? TCP_LISTEN_STATE : TCP_CLOSE_STATE)},
    };
    return netlink_ask(NETLINK_SOCK_DIAG, &q, sizeof q, on_socket, &protocol);
}

/* ---- whose they are ---- */

static void mark_own(const char *pid) {
    char path[300], target[64];
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *fds = opendir(path);
    if (!fds) {
        return;
    }
    for (struct dirent *e; (e = readdir(fds)) != NULL;) {
        ssize_t n = readlinkat(dirfd(fds), e->d_name, target, sizeof target - 1);
        unsigned inode;
        if (n <= 0) {
            continue;
        }
        target[n] = '\0';
        if (sscanf(target, "socket:[%u]", &inode) == 1) {
            for (size_t i = 0; i < listener_count; i++) {
                listeners[i].own |= listeners[i].inode == inode;
            }
        }
    }
    closedir(fds);
}

static void find_own(void) {
    DIR *proc = opendir("/proc");
    if (!proc) {
        return;
    }
    for (struct dirent *e; (e = readdir(proc)) != NULL;) {
        if (isdigit((unsigned char)e->d_name[0]) && host_is_own_process(e->d_name)) {
            mark_own(e->d_name);
        }
    }
    closedir(proc);
}

/* ---- the packet filter ---- */

static bool is_any(const struct listener *l) {
    static const uint8_t ANY[16];
    return memcmp(l->address, ANY, 16) == 0;
}

static bool is_loopback(const struct listener *l) {
    static const uint8_t LOOPBACK6[16] = {[15] = 1};
    return l->family == AF_INET ? l->address[0] == 127 : memcmp(l->address, LOOPBACK6, 16) == 0;
}

static bool guest_has(const struct host_port *p) {
    for (size_t i = 0; i < listener_count; i++) {
        if (listeners[i].protocol == p->protocol && listeners[i].port == p->port) {
            return true;
        }
    }
    return false;
}

static void write_rules(FILE *script, int family, const char *host) {
    const char *any = family == AF_INET ? "127.0.0.0/8" : "::1";
    const char *restore = family == AF_INET ? "iptables-restore" : "ip6tables-restore";
    fprintf(script, "%s -w 5 --noflush <<'END'\n*nat\n:LONGSHORE-IN - [0:0]\n:LONGSHORE-OUT - [0:0]\n", restore);
    for (size_t i = 0; i < listener_count; i++) {
        const struct listener *l = &listeners[i];
        bool dual = l->family == AF_INET6 && !l->v6only && is_any(l);
        if (!l->told || (l->family != family && !dual)) {
            continue;
        }
        fprintf(script, "-A LONGSHORE-IN -p %s --dport %u ", word(l->protocol), l->port);
        if (is_loopback(l)) {
            char text[INET6_ADDRSTRLEN];
            fprintf(script, "-j DNAT --to-destination %s\n", inet_ntop(family, l->address, text, sizeof text));
        } else {
            fprintf(script, "-j ACCEPT\n"); /* whatever else has that number, a published port's own rule for instance */
        }
    }
    for (size_t i = 0; i < host_port_count; i++) {
        if (!guest_has(&host_ports[i])) {
            fprintf(script, "-A LONGSHORE-OUT -d %s -p %s --dport %u -j DNAT --to-destination %s\n", any,
                    word(host_ports[i].protocol), host_ports[i].port, host);
        }
    }
    fprintf(script, "COMMIT\nEND\n");
}

/* The rules that lead to ours: `-I`, or `-D`, which says nothing of what is not there. */
static void write_jumps(FILE *script, const char *change, int family) {
    const char *tables = family == AF_INET ? "iptables" : "ip6tables";
    const char *loopback = family == AF_INET ? "127.0.0.0/8" : "::1";
    const char *quiet = strcmp(change, "-D") == 0 ? " 2>/dev/null" : "";
    fprintf(script, "%s -w 5 -t nat %s PREROUTING -i eth0 -m addrtype --dst-type LOCAL -j LONGSHORE-IN%s\n", tables, change, quiet);
    fprintf(script, "%s -w 5 -t nat %s OUTPUT -d %s -j LONGSHORE-OUT%s\n", tables, change, loopback, quiet);
    fprintf(script, "%s -w 5 -t nat %s POSTROUTING -s %s -o eth0 -j MASQUERADE%s\n", tables, change, loopback, quiet);
}

static void write_begin(FILE *script) {
    fprintf(script, "echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet\n");
    write_jumps(script, "-D", AF_INET); /* of an agent that died */
    write_jumps(script, "-I", AF_INET);
    if (*host6) {
        fprintf(script, "ip -6 route replace local ::1 dev eth0 table local metric 1024\n");
        write_jumps(script, "-D", AF_INET6);
        write_jumps(script, "-I", AF_INET6);
    }
}

static void write_end(FILE *script) {
    for (int i = 0; i < 2; i++) {
        write_jumps(script, "-D", i == 0 ? AF_INET : AF_INET6);
        fprintf(script, "for c in LONGSHORE-IN LONGSHORE-OUT; do %s -w 5 -t nat -F $c; %s -w 5 -t nat -X $c; done 2>/dev/null\n",
                i == 0 ? "iptables" : "ip6tables", i == 0 ? "iptables" : "ip6tables");
    }
    fprintf(script, "ip -6 route del local ::1 dev eth0 table local metric 1024 2>/dev/null\n"
                    "echo 0 >/proc/sys/net/ipv4/conf/eth0/route_localnet\n"
                    "echo >/proc/sys/net/ipv4/ip_local_reserved_ports\n");
}

static void write_reserved(FILE *script) {
    fprintf(script, "echo '");
    for (size_t i = 0; i < host_port_count; i++) {
        fprintf(script, "%s%u", i ? "," : "", host_ports[i].port);
    }
    fprintf(script, "' >/proc/sys/net/ipv4/ip_local_reserved_ports\n");
}

static void on_applied(struct watch *w, uint32_t events);

/* Runs in a process of its own, whose end is the pipe's; what it says is for the console. */
static void run_script(char *text, size_t len) {
    int in = memfd_create("hostnet", MFD_CLOEXEC), out[2];
    if (in < 0 || write(in, text, len) != (ssize_t)len || lseek(in, 0, SEEK_SET) < 0 || pipe2(out, O_CLOEXEC) < 0) {
        perror("longshore-agent: hostnet");
        if (in >= 0) {
            close(in);
        }
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in, 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        signal(SIGCHLD, SIG_DFL);
        signal(SIGPIPE, SIG_DFL);
        host_exec_shell();
        _exit(127);
    }
    close(in);
    close(out[1]);
    busy = pid > 0 && fcntl(out[0], F_SETFL, O_NONBLOCK) == 0 && loop_add(&applying, out[0], EPOLLIN, on_applied) == 0;
    if (!busy) {
        close(out[0]);
    }
}

/* What the daemon said and what the last scan saw becomes rules; later, if the last ones are still being made. */
static void apply(void) {
    if (busy) {
        stale = true;
        return;
    }
    stale = false;
    char *text = NULL;
    size_t len = 0;
    FILE *script = open_memstream(&text, &len);
    if (!script) {
        return;
    }
    if (session < 0) {
        write_end(script);
    } else {
        write_rules(script, AF_INET, host4);
        if (*host6) {
            write_rules(script, AF_INET6, host6);
        }
        write_reserved(script);
        if (!installed) {
            write_begin(script); /* the chains are there now */
        }
    }
    installed = session >= 0;
    fclose(script);
    run_script(text, len);
    free(text);
}

/* ---- UDP that the connection tracker knows ---- */

static const struct nlattr *attribute(const void *from, size_t len, uint16_t type) {
    const struct nlattr *a = from;
    while (len >= sizeof *a && a->nla_len >= sizeof *a && a->nla_len <= len) {
        if ((a->nla_type & NLA_TYPE_MASK) == type) {
            return a;
        }
        size_t step = NLA_ALIGN(a->nla_len);
        if (step > len) {
            break;
        }
        len -= step;
        a = (const struct nlattr *)((const char *)a + step);
    }
    return NULL;
}

static const struct nlattr *nested(const struct nlattr *in, uint16_t type) {
    return in ? attribute(in + 1, in->nla_len - sizeof *in, type) : NULL;
}

static void on_flow(const struct nlmsghdr *h, void *with) {
    const uint16_t *port = with;
    if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg))) {
        return;
    }
    const struct nfgenmsg *g = NLMSG_DATA(h);
    const struct nlattr *tuple = attribute(g + 1, h->nlmsg_len - NLMSG_LENGTH(sizeof *g), CTA_TUPLE_ORIG);
    const struct nlattr *ip = nested(tuple, CTA_TUPLE_IP), *proto = nested(tuple, CTA_TUPLE_PROTO);
    const struct nlattr *number = nested(proto, CTA_PROTO_NUM), *to = nested(proto, CTA_PROTO_DST_PORT);
    const struct nlattr *v4 = nested(ip, CTA_IP_V4_DST), *v6 = nested(ip, CTA_IP_V6_DST);
    static const uint8_t LOOPBACK6[16] = {[15] = 1};
    if (!number || *(const uint8_t *)(number + 1) != IPPROTO_UDP || !to || memcmp(to + 1, &(uint16_t){htons(*port)}, 2) != 0
        || !((v4 && *(const uint8_t *)(v4 + 1) == 127) || (v6 && memcmp(v6 + 1, LOOPBACK6, 16) == 0)) || tuple->nla_len > 256) {
        return;
    }
    struct {
        struct nlmsghdr header;
        struct nfgenmsg generic;
        char tuple[256];
    } q = {
        .header = {.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .generic = {.nfgen_family = g->nfgen_family, .version = NFNETLINK_V0},
    };
    memcpy(q.tuple, tuple, tuple->nla_len);
    q.header.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof q.generic) + tuple->nla_len);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER); /* the answer is of no interest */
    if (fd >= 0) {
        (void)!send(fd, &q, q.header.nlmsg_len, 0);
        close(fd);
    }
}

/* Flows to a port that is the host's from now on, begun when it was nobody's. */
static void forget_flows(uint16_t port) {
    struct {
        struct nlmsghdr header;
        struct nfgenmsg generic;
    } q = {
        .header = {.nlmsg_len = sizeof q,
                   .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .generic = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
    };
    netlink_ask(NETLINK_NETFILTER, &q, sizeof q, on_flow, &port);
}

static void on_applied(struct watch *w, uint32_t events) {
    (void)events;
    char said[512];
    ssize_t n = read(w->fd, said, sizeof said);
    if (n > 0) {
        fprintf(stderr, "longshore-agent: hostnet: %.*s", (int)n, said);
        return;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    loop_close(w);
    busy = false;
    if (stale) {
        apply();
        return;
    }
    for (size_t i = 0; session >= 0 && i < host_port_count; i++) {
        if (host_ports[i].fresh && !guest_has(&host_ports[i])) {
            host_ports[i].fresh = false;
            forget_flows(host_ports[i].port);
        }
    }
}

/* ---- the session ---- */

static void tell(const struct listener *l, char sign) {
    char address[INET6_ADDRSTRLEN], line[LINE_BYTES];
    inet_ntop(l->family, l->address, address, sizeof address);
    int n = snprintf(line, sizeof line, "%c %s %s %u%s\n", sign, word(l->protocol), address, l->port,
                     l->family == AF_INET6 && !l->v6only && is_any(l) ? " dual" : "");
    if (send(session, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n) {
        shutdown(session, SHUT_RDWR); /* it has lost count: the daemon begins anew */
    }
}

static bool is_due(const struct listener *l) {
    return !l->own && (l->protocol == IPPROTO_TCP || l->port < FIRST_EPHEMERAL || l->scans >= EPHEMERAL_SCANS);
}

/* A port that the guest had may be the host's now. */
static void freshen(const struct listener *gone) {
    for (size_t i = 0; gone->protocol == IPPROTO_UDP && i < host_port_count; i++) {
        host_ports[i].fresh |= host_ports[i].protocol == IPPROTO_UDP && host_ports[i].port == gone->port;
    }
}

static void look(void) {
    for (size_t i = 0; i < listener_count; i++) {
        listeners[i].there = false;
    }
    size_t known = listener_count;
    bool all = true;
    for (int i = 0; i < 4; i++) {
        uint8_t family = i & 1 ? AF_INET6 : AF_INET;
        all &= scan(family, i & 2 ? IPPROTO_UDP : IPPROTO_TCP) || family == AF_INET6;
    }
    if (!all) {
        return; /* part of the picture is no picture */
    }
    if (listener_count > known) {
        find_own();
    }
    bool changed = listener_count > known;
    size_t kept = 0;
    for (size_t i = 0; i < listener_count; i++) {
        struct listener *l = &listeners[i];
        if (!l->there) {
            if (l->told) {
                tell(l, '-');
            }
            changed = true;
            freshen(l);
            continue;
        }
        if (!l->told && is_due(l)) {
            l->told = true;
            tell(l, '+');
            changed = true;
        }
        listeners[kept++] = *l;
    }
    listener_count = kept;
    if (changed) {
        apply();
    }
}

static void on_timer(struct watch *w, uint32_t events) {
    (void)events;
    uint64_t times;
    if (read(w->fd, &times, sizeof times) == sizeof times && session >= 0) {
        look();
    }
}

static bool start_timer(void) {
    if (timer_open) {
        return true;
    }
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec often = {.it_interval = {.tv_nsec = SCAN_MS * 1000000L}, .it_value = {.tv_nsec = SCAN_MS * 1000000L}};
    if (fd < 0 || timerfd_settime(fd, 0, &often, NULL) < 0 || loop_add(&timer, fd, EPOLLIN, on_timer) < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    timer_open = true;
    return true;
}

const char *hostnet_begin(int fd, const char *words) {
    char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN];
    struct in_addr a4;
    struct in6_addr a6;
    if (sscanf(words, "%15s %45s", v4, v6) != 2 || inet_pton(AF_INET, v4, &a4) != 1
        || (strcmp(v6, "-") != 0 && inet_pton(AF_INET6, v6, &a6) != 1)) {
        return "bad addresses";
    }
    if (!start_timer()) {
        return strerror(errno);
    }
    if (session >= 0 && session != fd) {
        shutdown(session, SHUT_RDWR);
    }
    session = fd;
    installed = false;
    listener_count = host_port_count = 0;
    snprintf(host4, sizeof host4, "%s", v4);
    snprintf(host6, sizeof host6, "%s", strcmp(v6, "-") == 0 ? "" : v6);
    apply();
    return NULL;
}

const char *hostnet_host_port(int fd, const char *words) {
    int64_t port;
    if (fd != session || strlen(words) < sizeof "+ tcp 1" - 1) {
        return "bad port";
    }
    bool more = words[0] == '+';
    uint8_t protocol = strncmp(words + 2, "tcp ", 4) == 0 ? IPPROTO_TCP : IPPROTO_UDP;
    if ((!more && words[0] != '-') || words[1] != ' '
        || (protocol == IPPROTO_UDP && strncmp(words + 2, "udp ", 4) != 0) || !parse_decimal(words + 6, 1, 65535, &port)) {
        return "bad port";
    }
    size_t at = 0;
    while (at < host_port_count && (host_ports[at].protocol != protocol || host_ports[at].port != port)) {
        at++;
    }
    if (more && at == host_port_count && at < MAX_HOST_PORTS) {
        host_ports[host_port_count++] = (struct host_port){.protocol = protocol, .fresh = protocol == IPPROTO_UDP, .port = (uint16_t)port};
    } else if (!more && at < host_port_count) {
        host_ports[at] = host_ports[--host_port_count];
    }
    apply();
    return NULL;
}

void hostnet_end(int fd) {
    if (fd != session) {
        return;
    }
    session = -1;
    listener_count = host_port_count = 0;
    loop_close(&timer);
    timer_open = false;
    apply();
}
