package dev.longshore.portforward;

import dev.longshore.packet.wire.IpAddress;
import java.net.InetSocketAddress;

/** What is bound on the host. Immutable. */
public sealed interface HostEndpoint {
    Protocol protocol();

    /** The address as Go prints it, which is what Docker's users know: {@code 0.0.0.0:80}, {@code [::]:80}, or the path. */
    String text();

    /**
     * A TCP or UDP port.
     *
     * @param protocol not {@link Protocol#UNIX}
     * @param port 0..65535; 0 asks for any free one
     */
    record Port(Protocol protocol, IpAddress address, int port) implements HostEndpoint {
        public Port {
            if (protocol == Protocol.UNIX || port < 0 || port > 65535) {
                throw new IllegalArgumentException(protocol + " port " + port);
            }
        }

        @Override
        public String text() {
            return (address.isV4() ? address.toString() : "[" + address + "]") + ":" + port;
        }

        boolean isWildcard() {
            return address.toInetAddress().isAnyLocalAddress();
        }

        InetSocketAddress toSocketAddress() {
            return new InetSocketAddress(address.toInetAddress(), port);
        }

        Port withPort(int resolved) {
            return new Port(protocol, address, resolved);
        }
    }

    /** A Unix stream socket; {@code path} is absolute and fits into sun_path (107 bytes). */
    record UnixPath(String path) implements HostEndpoint {
        public UnixPath {
            if (!path.startsWith("/") || path.indexOf('\0') >= 0) {
                throw new IllegalArgumentException("not an absolute path: '" + path + "'");
            }
        }

        @Override
        public Protocol protocol() {
            return Protocol.UNIX;
        }

        @Override
        public String text() {
            return path;
        }
    }

    static Port tcp(IpAddress address, int port) {
        return new Port(Protocol.TCP, address, port);
    }

    static Port udp(IpAddress address, int port) {
        return new Port(Protocol.UDP, address, port);
    }
}
