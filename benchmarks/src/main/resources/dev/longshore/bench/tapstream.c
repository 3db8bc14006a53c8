/*
 * Joins a TAP device to a program that speaks QEMU's stream framing (each frame behind its length, 32 bits, big-endian), for
 * peers that know no TAP: tapstream TAP SOCKET makes the device in this network namespace and connects to the socket.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LARGEST_FRAME 65550
#define BATCH 64

static int tap, peer;
static unsigned char from_peer[1 << 20];
static size_t held;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void write_all(const unsigned char *p, size_t n) {
    while (n) {
        ssize_t w = write(peer, p, n);
        if (w > 0) {
            p += w;
            n -= (size_t)w;
        } else if (errno != EINTR) {
            fail("write to the peer");
        }
    }
}

static void frames_to_peer(void) {
    static unsigned char frame[4 + LARGEST_FRAME];
    for (int i = 0; i < BATCH; i++) {
        ssize_t n = read(tap, frame + 4, LARGEST_FRAME);
        if (n <= 0) return;
        uint32_t length = htonl((uint32_t)n);
        memcpy(frame, &length, 4);
        write_all(frame, 4 + (size_t)n);
    }
}

static void frames_to_tap(void) {
    ssize_t n = read(peer, from_peer + held, sizeof from_peer - held);
    if (n <= 0) exit(0);
    held += (size_t)n;
    size_t at = 0;
    while (held - at >= 4) {
        uint32_t length;
        memcpy(&length, from_peer + at, 4);
        length = ntohl(length);
        if (length > LARGEST_FRAME) exit(1);
        if (held - at - 4 < length) break;
        if (write(tap, from_peer + at + 4, length) < 0 && errno == EAGAIN) {
            struct pollfd room = {tap, POLLOUT, 0};
            poll(&room, 1, 1000);
            continue;
        }
        at += 4 + length;
    }
    memmove(from_peer, from_peer + at, held - at);
    held -= at;
}

int main(int c, char **v) {
    struct ifreq request = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (c != 3) return 2;
    strncpy(request.ifr_name, v[1], IFNAMSIZ - 1);
    strncpy(address.sun_path, v[2], sizeof address.sun_path - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request)) fail("tap");
    peer = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(peer, (struct sockaddr *)&address, sizeof address)) fail("connect");
    int bytes = 4 << 20;
    setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    for (;;) {
        struct pollfd ready[2] = {{tap, POLLIN, 0}, {peer, POLLIN, 0}};
        if (poll(ready, 2, -1) < 0) continue;
        if (ready[0].revents) frames_to_peer();
        if (ready[1].revents) frames_to_tap();
    }
}
