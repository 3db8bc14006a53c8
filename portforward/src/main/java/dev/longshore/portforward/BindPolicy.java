package dev.longshore.portforward;

import dev.longshore.config.PortBinding;
import dev.longshore.packet.wire.IpAddress;

/** Which host address a wish really gets: the setting {@code ports.binding}. Immutable. */
record BindPolicy(PortBinding binding) {
    private static final IpAddress LOOPBACK_V4 = IpAddress.v4(0x7F000001);
    private static final IpAddress LOOPBACK_V6 = new IpAddress(0, 1);

    HostEndpoint apply(HostEndpoint wish) {
        return switch (wish) {
            case HostEndpoint.UnixPath path -> path;
            case HostEndpoint.Port port -> apply(port);
        };
    }

    private HostEndpoint.Port apply(HostEndpoint.Port wish) {
        boolean local =
                switch (binding) {
                    case DEFAULT_PORT_BINDING -> false;
                    case DEFAULT_LOCAL_PORT_BINDING -> wish.isWildcard();
                    case LOCAL_ONLY_PORT_BINDING -> !wish.address().isLoopback();
                };
        IpAddress loopback = wish.address().isV4() ? LOOPBACK_V4 : LOOPBACK_V6;
        return local ? new HostEndpoint.Port(wish.protocol(), loopback, wish.port()) : wish;
    }
}
