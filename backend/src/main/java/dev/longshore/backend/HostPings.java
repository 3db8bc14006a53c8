package dev.longshore.backend;

import dev.longshore.linux.Linux;
import dev.longshore.vpnkit.icmp.PingSockets;
import java.io.IOException;

/** Ping sockets by the system call. Confined to the link's event loop. */
final class HostPings implements PingSockets {
    private final Linux linux = new Linux();

    @Override
    public int open() throws IOException {
        int fd = linux.pingSocket();
        if (fd < 0) {
            throw new IOException("no ping socket: errno " + -fd + " (sysctl net.ipv4.ping_group_range)");
        }
        return fd;
    }
}
