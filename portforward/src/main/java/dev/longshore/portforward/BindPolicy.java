package dev.longshore.portforward;

import dev.longshore.config.PortBinding;
import dev.longshore.config.Settings;
import dev.longshore.packet.wire.IpAddress;
import java.net.InetAddress;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Which host address a wish really gets: the settings {@code portBindingBehavior} and {@code vpnKitAllowedBindAddresses}.
 * Immutable.
 *
 * @param allowed 0.0.0.0 among them allows every address, of both families; else an address has to be among them itself, as
 *     in vpnkit's {@code --allowed-bind-addresses}
 */
public record BindPolicy(PortBinding binding, Set<IpAddress> allowed) {
    private static final IpAddress ANY_V4 = IpAddress.v4(0);
    private static final IpAddress LOOPBACK_V4 = IpAddress.v4(0x7F000001);
    private static final IpAddress LOOPBACK_V6 = new IpAddress(0, 1);

    public BindPolicy {
        allowed = Set.copyOf(allowed);
    }

    public static BindPolicy of(Settings.Ports ports) {
        return new BindPolicy(
                ports.binding(),
                ports.allowedAddresses().stream().map(IpAddress::of).collect(Collectors.toUnmodifiableSet()));
    }

    /** Any address is allowed. */
    public static BindPolicy of(PortBinding binding) {
        return new BindPolicy(binding, Set.of(ANY_V4));
    }

    /** True if every wish is bound as it is. */
    public boolean isOpen() {
        return binding == PortBinding.DEFAULT_PORT_BINDING && allowed.contains(ANY_V4);
    }

    /** The address that is bound for a port published at {@code wish}, as text; empty if nothing listens for it. */
    public Optional<String> boundFor(InetAddress wish) {
        return place(HostEndpoint.tcp(IpAddress.of(wish), 0)) instanceof Bound(HostEndpoint.Port port)
                ? Optional.of(port.address().toString())
                : Optional.empty();
    }

    /** What becomes of a wish. */
    sealed interface Place {
        HostEndpoint host();
    }

    /** It is to be bound there. */
    record Bound(HostEndpoint host) implements Place {}

    /** It may not be bound. */
    record NotAllowed(HostEndpoint host) implements Place {}

    /**
     * The {@code [::]} that the Engine asks for beside every {@code 0.0.0.0}, where only the latter's address is allowed: it
     * must not fail the whole, and nothing listens there.
     */
    record Nowhere(HostEndpoint host) implements Place {}

    Place place(HostEndpoint wish) {
        return switch (wish) {
            case HostEndpoint.UnixPath path -> new Bound(path);
            case HostEndpoint.Port port -> place(port);
        };
    }

    private Place place(HostEndpoint.Port wish) {
        HostEndpoint.Port at = apply(wish);
        if (allows(at.address())) {
            return new Bound(at);
        }
        boolean twin = wish.isWildcard()
                && !wish.address().isV4()
                && allows(apply(new HostEndpoint.Port(wish.protocol(), ANY_V4, wish.port()))
                        .address());
        return twin ? new Nowhere(at) : new NotAllowed(at);
    }

    private boolean allows(IpAddress address) {
        return allowed.contains(ANY_V4) || allowed.contains(address);
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

    /** For the user: {@code 127.0.0.1, ::1}. */
    String allowedText() {
        List<String> texts = allowed.stream().map(IpAddress::toString).sorted().toList();
        return texts.isEmpty() ? "no address" : String.join(", ", texts);
    }
}
