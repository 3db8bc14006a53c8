package dev.longshore.vpnkit.flow;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Which container a flow belongs to, in Docker's words. Immutable.
 *
 * @param id the full id, 64 hexadecimal digits
 * @param name without Docker's leading slash
 * @param image as the container was asked for: {@code nginx:1.27}
 * @param project Compose's project, or null
 * @param service Compose's service, or null
 * @param networks names of the networks it is attached to
 */
public record ContainerIdentity(
        String id,
        String name,
        String image,
        @Nullable String project,
        @Nullable String service,
        Set<String> networks) {
    public ContainerIdentity {
        networks = Set.copyOf(networks);
    }
}
