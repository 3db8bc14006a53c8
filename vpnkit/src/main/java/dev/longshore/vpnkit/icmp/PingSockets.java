package dev.longshore.vpnkit.icmp;

import dev.longshore.vpnkit.hostsocket.HostDatagrams;
import org.jspecify.annotations.Nullable;

/** Where sockets for pings beyond our own addresses come from. */
public interface PingSockets {
    /** A socket for one flow of pings, or null if the host forbids it or has no descriptor left. */
    @Nullable
    Opened open(HostDatagrams datagrams, boolean v4, HostDatagrams.Receiver receiver);

    /** {@code raw}: identifier and checksum are ours to write, and what comes starts with the IPv4 header. */
    record Opened(HostDatagrams.Socket socket, boolean raw) {}

    /**
     * The host's: ping sockets where net.ipv4.ping_group_range allows them (Linux net/ipv4/ping.c), which is also what
     * forbids them to root by default; then raw sockets, if the process has CAP_NET_RAW.
     */
    static PingSockets ofHost() {
        return (datagrams, v4, receiver) -> {
            HostDatagrams.Socket ping = datagrams.openPing(v4, receiver).socket();
            if (ping != null) {
                return new Opened(ping, false);
            }
            HostDatagrams.Socket raw = datagrams.openRawEcho(v4, receiver).socket();
            return raw == null ? null : new Opened(raw, true);
        };
    }

    /** For hosts without them: pings beyond our own addresses are answered "administratively prohibited". */
    static PingSockets none() {
        return (datagrams, v4, receiver) -> null;
    }
}
