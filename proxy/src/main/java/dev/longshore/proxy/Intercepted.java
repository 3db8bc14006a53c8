package dev.longshore.proxy;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.hostsocket.Destination;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where a connection was going that is carried by the proxy unasked. Immutable.
 *
 * <p>What the guest says about its destination, in Host or by SNI, is believed in one of two ways, so that a lie leads nowhere but to
 * what was said. A name that the guest was told for this address means this address. Any other name means what it
 * means to everybody: the address is forgotten, and whoever connects looks the name up.
 *
 * @param address the remote's
 * @param port the remote's, 1..65535
 * @param source who connects, or null if that is not known
 * @param told the names that the guest was told for the address, in small letters
 */
public record Intercepted(
        IpAddress address, int port, @Nullable IpAddress source, List<String> told) {
    public Intercepted {
        told = List.copyOf(told);
    }

    /**
     * Where to go, after what the guest said.
     *
     * @param said a plain name of a host, or null if the guest said none
     */
    public Destination towards(@Nullable String said) {
        String only = told.size() == 1 ? told.getFirst() : null;
        if (said == null) {
            return at(only);
        }
        if (said.equals("localhost") || said.endsWith(".localhost") || said.endsWith(ProxySettings.OWN_DOMAIN)) {
            return at(null); // these are ours, and we did not send it here for them
        }
        return told.contains(said) ? at(said) : new Destination(said, null, port, 0, source);
    }

    /** The address as it is, with a name that it is known by. */
    public Destination at(@Nullable String name) {
        return new Destination(name, address, port, 0, source);
    }
}
