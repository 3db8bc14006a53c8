package dev.longshore.engine.ports;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.HostEndpoint;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * What {@code GET /containers/{id}/json} says of a container's ports. Immutable.
 *
 * @param running or paused: it has its networks
 * @param hostNetwork {@code --net=host}
 * @param wanted its published ports; none unless it is running
 */
record Container(String id, String name, boolean running, boolean hostNetwork, List<Wanted> wanted) {
    Container {
        wanted = List.copyOf(wanted);
    }

    /** Whatever is missing or malformed counts as absent. */
    static Container of(JsonNode json) {
        String id = json.path("Id").asString("");
        String name = json.path("Name").asString("");
        name = name.startsWith("/") ? name.substring(1) : name;
        boolean running = json.path("State").path("Running").asBoolean(false);
        boolean host = json.path("HostConfig").path("NetworkMode").asString("").equals("host");
        JsonNode settings = json.path("NetworkSettings");
        return new Container(
                id,
                name,
                running,
                host,
                running ? wanted(settings.path("Ports"), addresses(settings), name) : List.of());
    }

    private static List<Wanted> wanted(JsonNode ports, List<IpAddress> addresses, String name) {
        List<Wanted> found = new ArrayList<>();
        for (Map.Entry<String, JsonNode> port :
                ports.properties()) { // "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]
            String[] words = port.getKey().split("/", -1);
            int guestPort = number(words[0]);
            if (words.length != 2 || guestPort < 1) {
                continue;
            }
            for (JsonNode binding : port.getValue()) {
                HostEndpoint.Port host = endpoint(
                        words[1],
                        binding.path("HostIp").asString(""),
                        number(binding.path("HostPort").asString("")));
                List<IpAddress> fit = host == null ? List.of() : inOrderFor(host, addresses);
                if (host != null && !fit.isEmpty()) {
                    found.add(new Wanted(host, fit, guestPort, name));
                }
            }
        }
        return found;
    }

    /** As the Engine does it: the host's IPv6 leads to the container's, if it has any, else to its IPv4. */
    private static List<IpAddress> inOrderFor(HostEndpoint.Port host, List<IpAddress> addresses) {
        boolean v4 = host.address().isV4();
        List<IpAddress> same = addresses.stream().filter(a -> a.isV4() == v4).toList();
        return v4
                ? same
                : Stream.concat(same.stream(), addresses.stream().filter(IpAddress::isV4))
                        .toList();
    }

    /**
     * Of all its networks. First those by whose gateway it reaches the world, of these the one with the highest priority, then by
     * name: the order in which the Engine looks for the one that published ports belong to.
     */
    private static List<IpAddress> addresses(JsonNode settings) {
        List<IpAddress> found = new ArrayList<>();
        settings.path("Networks").properties().stream()
                .sorted(Comparator.comparing((Map.Entry<String, JsonNode> n) ->
                                n.getValue().path("Gateway").asString("").isEmpty())
                        .thenComparingInt(n -> -n.getValue().path("GwPriority").asInt(0))
                        .thenComparing(Map.Entry::getKey))
                .forEach(n -> {
                    add(found, n.getValue().path("IPAddress").asString(""));
                    add(found, n.getValue().path("GlobalIPv6Address").asString(""));
                });
        return found;
    }

    private static void add(List<IpAddress> to, String literal) {
        IpAddress address = address(literal);
        if (address != null) {
            to.add(address);
        }
    }

    /** Null for what can't be published here, SCTP for instance. An empty address is any of IPv4. */
    static HostEndpoint.@Nullable Port endpoint(String protocol, String address, int port) {
        IpAddress at = address(address.isEmpty() ? "0.0.0.0" : address);
        if (at == null || port < 1) {
            return null;
        }
        return switch (protocol) {
            case "tcp" -> HostEndpoint.tcp(at, port);
            case "udp" -> HostEndpoint.udp(at, port);
            default -> null;
        };
    }

    private static @Nullable IpAddress address(String literal) {
        try {
            return literal.isEmpty() ? null : IpAddress.parse(literal);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    /** 1..65535, or 0. */
    private static int number(String text) {
        try {
            int value = Integer.parseInt(text);
            return value >= 1 && value <= 65_535 ? value : 0;
        } catch (NumberFormatException e) {
            return 0;
        }
    }
}
