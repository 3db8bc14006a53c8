package dev.longshore.vpnkit.icmp;

import java.io.IOException;

/**
 * Where unprivileged ping sockets come from: {@code socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)}, Linux net/ipv4/ping.c.
 * The JDK and Netty can't make one, Netty can use one; so whoever may call the system directly passes an implementation.
 */
public interface PingSockets {
    /**
     * A new descriptor, non-blocking and close-on-exec; the caller owns it.
     *
     * @throws IOException if the host forbids it (sysctl net.ipv4.ping_group_range) or has no descriptor left
     */
    int open() throws IOException;

    /** For hosts without them: pings beyond our own addresses are answered "administratively prohibited". */
    static PingSockets none() {
        return () -> {
            throw new IOException("no ping sockets on this host");
        };
    }
}
