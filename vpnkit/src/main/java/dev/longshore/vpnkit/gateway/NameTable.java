package dev.longshore.vpnkit.gateway;

import dev.longshore.vpnkit.ip.IpPlan;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The names that are answered here and never asked of anybody else: Docker Desktop's and their older spellings. Immutable.
 *
 * <p>Within our zones a name that is not there does not exist (nothing of them leaks to the host's resolvers); a name that
 * is there has an A record and no other (NODATA, never NXDOMAIN: musl and systemd-resolved would take the name for absent).
 */
public final class NameTable {
    /** What there is to say about a name. */
    sealed interface Entry {
        /** The name has this IPv4 address. */
        record Address(int address, String zone) implements Entry {}

        /** The address with this reverse name has this name. */
        record Pointer(String name, String zone) implements Entry {}

        /** The name exists, without records of its own: a zone or something between it and a name. */
        record Nothing(String zone) implements Entry {}

        /** The name is in a zone of ours and does not exist. */
        record Absent(String zone) implements Entry {}
    }

    private static final String REVERSE = ".in-addr.arpa";
    private static final List<String> ZONES = List.of("docker.internal", "containers.internal", "localhost");
    private static final int LOOPBACK = 0x7F00_0001;

    private final IpPlan plan;
    private final Map<String, Integer> addresses;
    private final Map<Integer, String> pointers;
    private final Set<String> between = new HashSet<>();
    private final String reverseZone;

    private NameTable(IpPlan plan, Map<String, Integer> addresses) {
        this.plan = plan;
        this.addresses = Map.copyOf(addresses);
        this.pointers = Map.of(
                plan.gateway().v4Bits(), "gateway.docker.internal",
                plan.guest().v4Bits(), "vm.docker.internal",
                plan.dns().v4Bits(), "dns.docker.internal",
                plan.host().v4Bits(), "host.docker.internal");
        this.reverseZone = reverseName(plan.network(), plan.prefixLength() / 8);
        for (String name : addresses.keySet()) {
            for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
                between.add(name.substring(dot + 1));
            }
        }
    }

    /** Our names for an address plan. */
    public static NameTable standard(IpPlan plan) {
        int host = plan.host().v4Bits();
        int gateway = plan.gateway().v4Bits();
        Map<String, Integer> names = new HashMap<>();
        names.put("host.docker.internal", host);
        names.put("kubernetes.docker.internal", host); // in the host's hosts file it means the host's loopback
        names.put("gateway.docker.internal", gateway);
        names.put("http.docker.internal", gateway);
        names.put("vm.docker.internal", plan.guest().v4Bits());
        names.put("dns.docker.internal", plan.dns().v4Bits());
        for (String legacy : List.of("docker.for.mac.", "docker.for.win.")) {
            names.put(legacy + "localhost", host);
            names.put(legacy + "host.internal", host);
            names.put(legacy + "gateway.internal", gateway);
            names.put(legacy + "http.internal", gateway);
        }
        names.put("host.containers.internal", host);
        names.put("gateway.containers.internal", gateway);
        names.put("localhost", LOOPBACK); // RFC 6761 §6.3
        return new NameTable(plan, names);
    }

    /** What is known here about {@code name} (lower case, no last dot); null if others are to be asked. */
    @Nullable
    Entry find(String name) {
        Integer address = addresses.get(name);
        String zone = zone(name);
        if (address != null) {
            return new Entry.Address(address, zone == null ? name : zone);
        }
        if (zone == null) {
            return name.endsWith(REVERSE) ? reverse(name) : null;
        }
        if (zone.equals("localhost")) {
            return new Entry.Address(LOOPBACK, zone); // everything below localhost, too
        }
        return name.equals(zone) || between.contains(name) ? new Entry.Nothing(zone) : new Entry.Absent(zone);
    }

    private static @Nullable String zone(String name) {
        for (String zone : ZONES) {
            if (name.endsWith(zone)
                    && (name.length() == zone.length() || name.charAt(name.length() - zone.length() - 1) == '.')) {
                return zone;
            }
        }
        return null;
    }

    private @Nullable Entry reverse(String name) {
        if (!name.endsWith(reverseZone)) {
            return null;
        }
        String[] labels = name.substring(0, name.length() - REVERSE.length()).split("\\.", -1);
        if (labels.length > 4) {
            return null;
        }
        int address = 0;
        for (int i = 0; i < labels.length; i++) {
            int octet = octet(labels[labels.length - 1 - i]);
            if (octet < 0) {
                return null;
            }
            address |= octet << (24 - 8 * i);
        }
        if (labels.length < 4) {
            return (address & plan.mask()) == plan.network() ? new Entry.Nothing(reverseZone) : null;
        }
        if (!plan.isInSubnet(address)) {
            return null;
        }
        String pointer = pointers.get(address);
        return pointer != null ? new Entry.Pointer(pointer, reverseZone) : new Entry.Absent(reverseZone);
    }

    private static int octet(String label) {
        if (label.isEmpty() || label.length() > 3) {
            return -1;
        }
        int value = 0;
        for (int i = 0; i < label.length(); i++) {
            char c = label.charAt(i);
            if (c < '0' || c > '9') {
                return -1;
            }
            value = value * 10 + c - '0';
        }
        return value > 255 ? -1 : value;
    }

    /** As in 65.168.192.in-addr.arpa for three octets of 192.168.65.0. */
    private static String reverseName(int address, int octets) {
        StringBuilder name = new StringBuilder();
        for (int i = octets - 1; i >= 0; i--) {
            name.append(address >>> (24 - 8 * i) & 0xFF).append('.');
        }
        return name.substring(0, name.length() - 1) + REVERSE;
    }
}
