package dev.longshore.engine.names;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.ContainerIdentity;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A running container and its addresses, as the Engine's API tells of it. Immutable.
 *
 * @param addresses of all its networks, both families; none of one in the guest's own network
 */
record NamedContainer(ContainerIdentity identity, Set<IpAddress> addresses) {
    /** Compose's labels. */
    private static final String PROJECT = "com.docker.compose.project";

    private static final String SERVICE = "com.docker.compose.service";

    /** Swarm's, of stacks and their services: to a user they are the same. */
    private static final String STACK = "com.docker.stack.namespace";

    private static final String SWARM_SERVICE = "com.docker.swarm.service.name";

    private static final int MAX_CHARS = 255;

    /** Control and format characters (line feeds, escapes, changes of direction) and halves of surrogate pairs. */
    private static final Pattern UNFIT = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]");

    NamedContainer {
        addresses = Set.copyOf(addresses);
    }

    /** From {@code GET /containers/{id}/json}; null if it does not run. What is missing or malformed counts as absent. */
    static @Nullable NamedContainer ofInspection(JsonNode json) {
        return json.path("State").path("Running").asBoolean(false)
                ? of(
                        json,
                        withoutSlash(json.path("Name").asString("")),
                        json.path("Config").path("Image").asString(""),
                        json.path("Config").path("Labels"))
                : null;
    }

    /** From an element of {@code GET /containers/json}, where all are running. */
    static @Nullable NamedContainer ofListed(JsonNode json) {
        String name = "";
        for (JsonNode n : json.path("Names")) {
            String one = withoutSlash(n.asString(""));
            if (!one.contains("/")) { // else it is how a linked container calls it
                name = one;
            }
        }
        return of(json, name, json.path("Image").asString(""), json.path("Labels"));
    }

    private static String withoutSlash(String name) {
        return name.startsWith("/") ? name.substring(1) : name;
    }

    private static @Nullable NamedContainer of(JsonNode json, String name, String image, JsonNode labels) {
        String id = clean(json.path("Id").asString(""));
        if (id.isEmpty()) {
            return null;
        }
        Set<String> networks = new TreeSet<>();
        Set<IpAddress> addresses = new LinkedHashSet<>();
        json.path("NetworkSettings").path("Networks").properties().forEach(n -> {
            networks.add(clean(n.getKey()));
            add(addresses, n.getValue().path("IPAddress").asString(""));
            add(addresses, n.getValue().path("GlobalIPv6Address").asString(""));
        });
        return new NamedContainer(
                new ContainerIdentity(
                        id,
                        clean(name),
                        clean(image),
                        label(labels, PROJECT, STACK),
                        label(labels, SERVICE, SWARM_SERVICE),
                        networks),
                addresses);
    }

    private static @Nullable String label(JsonNode labels, String first, String second) {
        String value = labels.path(first).asString("");
        if (value.isEmpty()) {
            value = labels.path(second).asString("");
        }
        return value.isEmpty() ? null : clean(value);
    }

    /** For logs and terminals: labels hold whatever a user gave, names whatever the guest says. */
    private static String clean(String text) {
        String some = text.length() > MAX_CHARS ? text.substring(0, MAX_CHARS) : text;
        return UNFIT.matcher(some).replaceAll("?");
    }

    private static void add(Set<IpAddress> to, String literal) {
        IpAddress address = address(literal);
        if (address != null) {
            to.add(address);
        }
    }

    /** {@code text}: an address, with or without the length of a prefix; null if it is none. */
    static @Nullable IpAddress address(String text) {
        int slash = text.indexOf('/');
        String literal = slash < 0 ? text : text.substring(0, slash);
        try {
            return literal.isEmpty() ? null : IpAddress.parse(literal);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }
}
