package dev.longshore.portforward;

import dev.longshore.packet.wire.IpAddress;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Whether a service is told who called by the PROXY protocol, in front of what the caller sends: for services that expect a
 * load balancer, and for callers whose address the guest can't see, those of the host's loopback. Source: HAProxy's
 * proxy-protocol.txt, version 2020/03/05, sections 2.1 and 2.2.
 */
public enum ProxyProtocol {
    NONE,
    /** A line of text. */
    V1,
    /** A binary header. */
    V2;

    private static final byte[] V2_SIGNATURE = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
    private static final int V2_PROXY = 0x21;
    private static final int V2_TCP4 = 0x11;
    private static final int V2_TCP6 = 0x21;
    private static final int V2_UNSPECIFIED = 0x00;

    /**
     * What comes first on a connection. Addresses of a Unix socket are unknown to the protocol.
     *
     * @return owned by the caller; empty for {@link #NONE}
     */
    ByteBuf header(ByteBufAllocator alloc, @Nullable SocketAddress caller, @Nullable SocketAddress host) {
        ByteBuf out = alloc.directBuffer(128);
        Ends ends = Ends.of(caller, host);
        switch (this) {
            case NONE -> {}
            case V1 ->
                out.writeCharSequence(ends == null ? "PROXY UNKNOWN\r\n" : ends.line(), StandardCharsets.US_ASCII);
            case V2 -> {
                out.writeBytes(V2_SIGNATURE).writeByte(V2_PROXY);
                if (ends == null) {
                    out.writeByte(V2_UNSPECIFIED).writeShort(0);
                } else {
                    ends.write(out);
                }
            }
        }
        return out;
    }

    /** Both of one family. */
    private record Ends(IpAddress from, int fromPort, IpAddress to, int toPort) {
        static @Nullable Ends of(@Nullable SocketAddress caller, @Nullable SocketAddress host) {
            if (!(caller instanceof InetSocketAddress c) || !(host instanceof InetSocketAddress h)) {
                return null;
            }
            IpAddress from = IpAddress.of(c.getAddress());
            IpAddress to = IpAddress.of(h.getAddress());
            return from.isV4() == to.isV4() ? new Ends(from, c.getPort(), to, h.getPort()) : null;
        }

        String line() {
            String family = from.isV4() ? "TCP4" : "TCP6";
            return "PROXY " + family + " " + from + " " + to + " " + fromPort + " " + toPort + "\r\n";
        }

        void write(ByteBuf out) {
            byte[] source = from.toInetAddress().getAddress();
            byte[] destination = to.toInetAddress().getAddress();
            out.writeByte(from.isV4() ? V2_TCP4 : V2_TCP6).writeShort(2 * source.length + 4);
            out.writeBytes(source).writeBytes(destination).writeShort(fromPort).writeShort(toPort);
        }
    }
}
