/*
 * The load that iperf3 has no mode for. One program for both ends, static, so that it runs in any guest.
 *
 *   netload serve PORT            echoes bytes of connections, and datagrams; says "ready" when it listens
 *   netload reach ADDR PORT MS    exit status 0 once a connection succeeds, tried for MS milliseconds
 *   netload rr ADDR PORT MS       one connection, one byte there and back, again and again
 *   netload crr ADDR PORT MS      the same with a connection for each byte
 *   netload idle ADDR PORT COUNT  opens connections, COUNT or until one fails, says how many, holds them until standard input ends
 *   netload verify ADDR PORT BYTES SEED   pseudo-random bytes and an end to the echo; the same must come back
 *   netload churn ADDR PORT COUNT         connections one after the other that end in all kinds of ways
 *   netload datagrams ADDR PORT COUNT     echoed datagrams of 0 to 65,507 bytes; one that comes back must be whole
 *   netload first DEVICE GATEWAY MS       waits for DEVICE, puts it up, and asks by ARP and DHCP until somebody answers; prints when
 *
 * rr and crr print one line of JSON: count, rate (1/s), p50, p99 and max (microseconds).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netdb.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_SAMPLES (4 << 20)

static struct sockaddr_storage peer;
static socklen_t peer_bytes;
static struct timeval patience; /* with a connect; zero: the kernel's own */

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void resolve(const char *address, const char *port) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)atoi(port));
        peer_bytes = sizeof *v4;
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)atoi(port));
        peer_bytes = sizeof *v6;
    } else {
        fprintf(stderr, "not an address: %s\n", address);
        exit(2);
    }
}

static int try_open(void) {
    int s = socket(peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (s < 0) fail("socket");
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(s, (struct sockaddr *)&peer, peer_bytes) == 0) return s;
    int why = errno;
    close(s);
    errno = why;
    return -1;
}

static int open_or_fail(void) {
    int s = try_open();
    if (s < 0) fail("connect");
    return s;
}

static void one_byte(int s) {
    char c = 'x';
    if (send(s, &c, 1, MSG_NOSIGNAL) != 1) fail("send");
    if (recv(s, &c, 1, 0) != 1) fail("recv");
}

static void one_byte_or_not(int s) {
    char c = 'x';
    if (send(s, &c, 1, MSG_NOSIGNAL) == 1 && recv(s, &c, 1, 0) != 1) return;
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void transactions(int ms, int connect_each) {
    uint32_t *took = malloc(sizeof *took * MAX_SAMPLES);
    uint64_t start = now_ns(), end = start + (uint64_t)ms * 1000000u, t = start;
    int s = connect_each ? -1 : open_or_fail();
    size_t n = 0;
    while (t < end && n < MAX_SAMPLES) {
        if (connect_each) s = open_or_fail();
        one_byte(s);
        if (connect_each) close(s);
        uint64_t u = now_ns();
        took[n++] = (uint32_t)(u - t);
        t = u;
    }
    qsort(took, n, sizeof *took, by_size);
    printf("{\"count\":%zu,\"rate\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}\n", n, (double)n * 1e9 / (double)(t - start),
           took[n / 2] / 1e3, took[n * 99 / 100] / 1e3, took[n - 1] / 1e3);
}

static void raise_limit(void) {
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

static void idle(int count) {
    raise_limit();
    patience.tv_sec = 5; /* who has no room for more may answer nothing at all */
    int opened = 0;
    while (opened < count && try_open() >= 0) opened++;
    printf("{\"opened\":%d}\n", opened);
    fflush(stdout);
    char c;
    while (read(0, &c, 1) > 0) {
    }
}

/* One connection of the server: what it still owes the client. */
struct echo {
    size_t from, to;
    int eof;
    char buffer[16384];
};

static struct echo *echoes[1 << 16];

static void echo_close(int s) {
    free(echoes[s]);
    echoes[s] = NULL;
    close(s);
}

/* Sends what is owed, reads more when nothing is; half-closed by the client, it ends when everything is out. */
static void echo_go_on(int epoll, int s) {
    struct echo *e = echoes[s];
    if (!e) e = echoes[s] = calloc(1, sizeof *e);
    if (!e) fail("calloc");
    for (;;) {
        while (e->from < e->to) {
            ssize_t w = send(s, e->buffer + e->from, e->to - e->from, MSG_NOSIGNAL);
            if (w < 0 && errno == EAGAIN) {
                struct epoll_event want = {.events = EPOLLOUT, .data.fd = s};
                epoll_ctl(epoll, EPOLL_CTL_MOD, s, &want);
                return;
            }
            if (w < 0) {
                echo_close(s);
                return;
            }
            e->from += (size_t)w;
        }
        if (e->eof) {
            echo_close(s);
            return;
        }
        ssize_t r = recv(s, e->buffer, sizeof e->buffer, 0);
        if (r < 0 && errno == EAGAIN) {
            struct epoll_event want = {.events = EPOLLIN, .data.fd = s};
            epoll_ctl(epoll, EPOLL_CTL_MOD, s, &want);
            free(e); /* idle connections cost nothing here */
            echoes[s] = NULL;
            return;
        }
        if (r < 0) {
            echo_close(s);
            return;
        }
        e->eof = r == 0;
        e->from = 0;
        e->to = (size_t)r;
    }
}

static int server_socket(int type, int port) {
    int l = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, off = 0;
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(l, (struct sockaddr *)&any, sizeof any)) fail("bind");
    return l;
}

static void echo_datagrams(int u) {
    static char datagram[65536];
    struct sockaddr_storage from;
    socklen_t from_bytes = sizeof from;
    ssize_t n;
    while ((n = recvfrom(u, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &from_bytes)) >= 0) {
        sendto(u, datagram, (size_t)n, 0, (struct sockaddr *)&from, from_bytes);
        from_bytes = sizeof from;
    }
}

static void serve(int port) {
    raise_limit();
    int l = server_socket(SOCK_STREAM, port), u = server_socket(SOCK_DGRAM, port), one = 1;
    if (listen(l, 4096)) fail("listen");
    int e = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event want = {.events = EPOLLIN, .data.fd = l}, got[256];
    epoll_ctl(e, EPOLL_CTL_ADD, l, &want);
    want.data.fd = u;
    epoll_ctl(e, EPOLL_CTL_ADD, u, &want);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(e, got, 256, -1);
        for (int i = 0; i < n; i++) {
            int s = got[i].data.fd;
            if (s == u) {
                echo_datagrams(u);
            } else if (s == l) {
                while ((s = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                    if (s >= 1 << 16) {
                        close(s);
                        continue;
                    }
                    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    want.data.fd = s;
                    epoll_ctl(e, EPOLL_CTL_ADD, s, &want);
                }
            } else {
                echo_go_on(e, s);
            }
        }
    }
}

/* xorshift: the n-th byte of a stream is a function of its seed. */
static unsigned char next_byte(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (unsigned char)(*state >> 24);
}

/* Sends bytes and its end, and expects exactly these bytes and the end back. */
static void verify(long bytes, uint64_t seed) {
    uint64_t sending = seed * 2 + 1, expected = seed * 2 + 1;
    int s = open_or_fail();
    fcntl(s, F_SETFL, O_NONBLOCK);
    int e = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event want = {.events = EPOLLIN | EPOLLOUT, .data.fd = s}, got;
    epoll_ctl(e, EPOLL_CTL_ADD, s, &want);
    long sent = 0, received = 0;
    size_t from = 0, to = 0;
    static unsigned char out[32768], in[32768];
    for (;;) {
        int ready = epoll_wait(e, &got, 1, 120000);
        if (ready == 0) {
            fprintf(stderr, "nothing moved for 120 s: sent %ld, received %ld of %ld\n", sent, received, bytes);
            exit(1);
        }
        if ((got.events & EPOLLOUT) && sent < bytes) {
            if (from == to) {
                from = 0;
                to = (size_t)(bytes - sent) < sizeof out ? (size_t)(bytes - sent) : sizeof out;
                for (size_t i = 0; i < to; i++) out[i] = next_byte(&sending);
            }
            ssize_t w = send(s, out + from, to - from, MSG_NOSIGNAL);
            if (w < 0 && errno != EAGAIN) fail("send");
            if (w > 0) from += (size_t)w, sent += w;
            if (sent == bytes) {
                shutdown(s, SHUT_WR);
                want.events = EPOLLIN;
                epoll_ctl(e, EPOLL_CTL_MOD, s, &want);
            }
        }
        ssize_t r = recv(s, in, sizeof in, 0);
        if (r < 0 && errno != EAGAIN) fail("recv");
        if (r == 0) break;
        for (ssize_t i = 0; i < r; i++) {
            if (in[i] != next_byte(&expected)) {
                fprintf(stderr, "wrong byte at %ld\n", received + i);
                exit(1);
            }
        }
        if (r > 0) received += r;
    }
    if (received != bytes) {
        fprintf(stderr, "%ld bytes came back of %ld\n", received, bytes);
        exit(1);
    }
    puts("exact");
}

/* Connections that end in every way there is: at once, by reset, half open, with data unread. */
static void churn(int count) {
    struct linger reset = {1, 0};
    static char data[5000];
    for (int i = 0; i < count; i++) {
        int s = try_open();
        if (s < 0) continue;
        if (i % 4 == 1) send(s, data, sizeof data, MSG_NOSIGNAL);
        if (i % 4 == 2) one_byte_or_not(s);
        if (i % 4 == 3) shutdown(s, SHUT_WR);
        if (i % 3 == 0) setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(s);
    }
    puts("done");
}

/* Datagrams of all sizes: how many came back, each of them whole. */
static void datagrams(int count) {
    static unsigned char out[65507], in[65536];
    int s = socket(peer.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), back = 0;
    struct timeval patience = {0, 200000};
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(s, (struct sockaddr *)&peer, peer_bytes)) fail("connect");
    for (int i = 0; i < count; i++) {
        size_t n = (size_t)i * 7919 % (i % 10 ? 1473 : sizeof out);
        uint64_t state = (uint64_t)i * 2 + 1;
        for (size_t k = 0; k < n; k++) out[k] = next_byte(&state);
        if (send(s, out, n, 0) != (ssize_t)n) continue;
        ssize_t r = recv(s, in, sizeof in, 0);
        if (r == (ssize_t)n && memcmp(in, out, n) == 0) {
            back++;
        } else if (r > 0 && r == (ssize_t)n) {
            size_t first = 0, wrong = 0;
            for (size_t k = n; k-- > 0;) {
                if (in[k] != out[k]) first = k, wrong++;
            }
            fprintf(stderr, "datagram %d came back changed: %zu of %zu bytes, the first at %zu is %02x instead of %02x\n", i, wrong, n,
                    first, in[first], out[first]);
            exit(1);
        } else if (r < 0) {
            close(s); /* a late answer must not be taken for the next one's */
            s = socket(peer.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            if (connect(s, (struct sockaddr *)&peer, peer_bytes)) fail("connect");
        }
    }
    printf("{\"sent\":%d,\"back\":%d}\n", count, back);
}

static const unsigned char everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static size_t arp_request(unsigned char *f, const unsigned char *mac, uint32_t gateway) {
    struct ether_arp a = {.ea_hdr = {htons(ARPHRD_ETHER), htons(ETH_P_IP), 6, 4, htons(ARPOP_REQUEST)}};
    uint32_t own = htonl(ntohl(gateway) + 2);
    memcpy(f, everybody, 6);
    memcpy(f + 6, mac, 6);
    memcpy(f + 12, (unsigned char[]){0x08, 0x06}, 2);
    memcpy(a.arp_sha, mac, 6);
    memcpy(a.arp_spa, &own, 4);
    memcpy(a.arp_tpa, &gateway, 4);
    memcpy(f + 14, &a, sizeof a);
    return 14 + sizeof a;
}

/* A DHCPDISCOVER; the sum of its IP header, which never changes, is worked out as for any. */
static size_t dhcp_discover(unsigned char *f, const unsigned char *mac) {
    size_t payload = 240 + 4, ip = 14, udp = 34, dhcp = 42, bytes = dhcp + payload;
    memset(f, 0, bytes);
    memcpy(f, everybody, 6);
    memcpy(f + 6, mac, 6);
    memcpy(f + 12, (unsigned char[]){0x08, 0x00, 0x45, 0}, 4);
    f[ip + 2] = (unsigned char)((bytes - ip) >> 8), f[ip + 3] = (unsigned char)(bytes - ip);
    f[ip + 8] = 64, f[ip + 9] = 17;
    memset(f + ip + 16, 0xff, 4);
    uint32_t sum = 0;
    for (size_t i = 0; i < 20; i += 2) sum += (uint32_t)f[ip + i] << 8 | f[ip + i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~(sum + (sum >> 16)) & 0xffff;
    f[ip + 10] = (unsigned char)(sum >> 8), f[ip + 11] = (unsigned char)sum;
    f[udp + 1] = 68, f[udp + 3] = 67, f[udp + 4] = (unsigned char)((8 + payload) >> 8), f[udp + 5] = (unsigned char)(8 + payload);
    memcpy(f + dhcp, (unsigned char[]){1, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0x80, 0}, 12);
    memcpy(f + dhcp + 28, mac, 6);
    memcpy(f + dhcp + 236, (unsigned char[]){0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255}, 8);
    return bytes;
}

/* Sends `ask` every 2 ms until a frame of that kind comes back: when that was. */
static uint64_t ask_until(int s, const unsigned char *ask, size_t bytes, int arp, uint64_t end) {
    unsigned char got[2048];
    while (now_ns() < end) {
        if (send(s, ask, bytes, 0) < 0 && errno != ENETDOWN && errno != ENOBUFS) fail("send");
        uint64_t again = now_ns() + 2000000;
        while (now_ns() < again) {
            ssize_t n = recv(s, got, sizeof got, MSG_DONTWAIT);
            if (n >= 42 && (arp ? got[12] == 8 && got[13] == 6 && got[21] == 2
                                : got[12] == 8 && got[13] == 0 && got[23] == 17 && got[35] == 67)) {
                return now_ns();
            }
            if (n < 0) {
                struct timespec pause = {0, 100000};
                nanosleep(&pause, NULL);
            }
        }
    }
    fprintf(stderr, "no answer to %s\n", arp ? "ARP" : "DHCP");
    exit(1);
}

/* When, in nanoseconds of CLOCK_MONOTONIC, the device was there and what it leads to answered first. */
static void first(const char *device, const char *gateway, int ms) {
    uint64_t end = now_ns() + (uint64_t)ms * 1000000u;
    struct ifreq r = {0};
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (s < 0) fail("socket");
    snprintf(r.ifr_name, IFNAMSIZ, "%s", device);
    while (ioctl(s, SIOCGIFINDEX, &r)) {
        if (now_ns() > end) fail(device);
        struct timespec pause = {0, 200000};
        nanosleep(&pause, NULL);
    }
    uint64_t there = now_ns();
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = r.ifr_ifindex};
    unsigned char mac[6], frame[512];
    if (ioctl(s, SIOCGIFHWADDR, &r)) fail("SIOCGIFHWADDR");
    memcpy(mac, r.ifr_hwaddr.sa_data, 6);
    if (ioctl(s, SIOCGIFFLAGS, &r)) fail("SIOCGIFFLAGS");
    r.ifr_flags |= IFF_UP;
    if (ioctl(s, SIOCSIFFLAGS, &r)) fail("SIOCSIFFLAGS");
    if (bind(s, (struct sockaddr *)&to, sizeof to)) fail("bind");
    uint64_t arp = ask_until(s, frame, arp_request(frame, mac, inet_addr(gateway)), 1, end);
    uint64_t dhcp = ask_until(s, frame, dhcp_discover(frame, mac), 0, end);
    printf("{\"device\":%llu,\"arp\":%llu,\"dhcp\":%llu}\n", (unsigned long long)there, (unsigned long long)arp,
           (unsigned long long)dhcp);
}

int main(int c, char **v) {
    if (c == 3 && !strcmp(v[1], "serve")) {
        serve(atoi(v[2]));
    }
    if (c == 6 && !strcmp(v[1], "verify")) {
        resolve(v[2], v[3]);
        verify(atol(v[4]), (uint64_t)atol(v[5]));
        return 0;
    }
    if (c == 5 && !strcmp(v[1], "first")) {
        first(v[2], v[3], atoi(v[4]));
        return 0;
    }
    if (c != 5) {
        fprintf(stderr, "see the comment at the top of netload.c\n");
        return 2;
    }
    resolve(v[2], v[3]);
    int n = atoi(v[4]);
    if (!strcmp(v[1], "rr") || !strcmp(v[1], "crr")) {
        transactions(n, v[1][0] == 'c');
    } else if (!strcmp(v[1], "idle")) {
        idle(n);
    } else if (!strcmp(v[1], "churn")) {
        churn(n);
    } else if (!strcmp(v[1], "datagrams")) {
        datagrams(n);
    } else if (!strcmp(v[1], "reach")) {
        uint64_t end = now_ns() + (uint64_t)n * 1000000u;
        while (try_open() < 0) {
            if (now_ns() > end) return 1;
            struct timespec pause = {0, 20000000};
            nanosleep(&pause, NULL);
        }
    } else {
        return 2;
    }
    return 0;
}
