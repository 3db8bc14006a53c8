package dev.longshore.policy;

import dev.longshore.config.EgressPolicy.Protocol;
import dev.longshore.packet.wire.IpAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Something that the guest wants to begin, with all that a policy may look at. Immutable.
 *
 * @param address the remote as the guest sees it; null as long as only its name is known
 * @param host true for the host's own services ({@code host.docker.internal})
 * @param asked names of the address that the guest has asked for or given, in lower case, without a trailing dot
 * @param aliases names that these led over
 * @param port 0 for a ping
 */
public record Attempt(
        Who who,
        Protocol protocol,
        @Nullable IpAddress address,
        boolean host,
        List<String> asked,
        List<String> aliases,
        int port) {
    /** The name of {@link #host} in policies. */
    public static final String HOST_NAME = "host.docker.internal";

    public Attempt {
        asked = List.copyOf(asked);
        aliases = List.copyOf(aliases);
    }

    /** As in {@code tcp container web -> 192.0.2.1:443 (example.com)}. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        text.append(protocol.name().toLowerCase(java.util.Locale.ROOT))
                .append(' ')
                .append(who);
        text.append(" -> ");
        IpAddress a = address;
        String name = host ? HOST_NAME : asked.isEmpty() ? "" : asked.getFirst();
        String main = a == null || host ? name : a.isV4() || port == 0 ? a.toString() : "[" + a + "]";
        text.append(main);
        if (port != 0) {
            text.append(':').append(port);
        }
        if (!host && a != null && !name.isEmpty()) {
            text.append(" (").append(name).append(')');
        }
        return text.toString();
    }
}
