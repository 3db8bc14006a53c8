package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.ip.IpPlan;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The names that are answered here and never asked of anybody else: Docker Desktop's and their older spellings, and what RFC 6761
 * keeps from resolvers. Immutable.
 *
 * <p>Within our zones a name that is not there does not exist (nothing of them leaks to the host's resolvers); a name that
 * is there has addresses and no other record (NODATA, never NXDOMAIN: musl and systemd-resolved would take the name for absent).
 */
public final class NameTable {
    /** What there is to say about a name. */
    sealed interface Entry {
        /** The name has these addresses. */
        record Address(Place place, String zone) implements Entry {}

        /** The address with this reverse name has this name. */
        record Pointer(String name, String zone) implements Entry {}

        /** The name exists, without records of its own: a zone or something between it and a name. */
        record Nothing(String zone) implements Entry {}

        /** The name is in a zone of ours and does not exist. */
        record Absent(String zone) implements Entry {}
    }

    /** One of the places of the address plan, or the loopback. */
    record Place(int v4, @Nullable IpAddress v6) {}

    private static final String REVERSE6 = ".ip6.arpa";
    private static final String REVERSE = ".in-addr.arpa";
    static final String LOCALHOST = "localhost";

    private static final List<String> ZONES = List.of("docker.internal", "containers.internal", LOCALHOST, "invalid");
    private static final Place LOOPBACK = new Place(0x7F00_0001, new IpAddress(0, 1));

    private final IpPlan plan;
    private final Map<String, Place> addresses;
    private final Map<IpAddress, String> pointers = new HashMap<>();
    private final Set<String> between = new HashSet<>();
    private final String reverseZone;
    private final String reverseZone6;

    private NameTable(IpPlan plan, Map<String, Place> addresses) {
        this.plan = plan;
        this.addresses = Map.copyOf(addresses);
        for (String name : List.of("gateway", "vm", "dns", "host")) {
            Place place = Objects.requireNonNull(addresses.get(name + ".docker.internal"));
            pointers.put(IpAddress.v4(place.v4), name + ".docker.internal");
            if (place.v6 != null) {
                pointers.put(place.v6, name + ".docker.internal");
            }
        }
        this.reverseZone6 = reverseName6(plan.ipv6Prefix());
        this.reverseZone = reverseName(plan.network(), plan.prefixLength() / 8);
        for (String name : addresses.keySet()) {
            for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
                between.add(name.substring(dot + 1));
            }
        }
    }

    /** Our names for an address plan. */
    public static NameTable standard(IpPlan plan) {
        boolean v6 = plan.hasIpv6();
        Place host = new Place(plan.host().v4Bits(), v6 ? plan.host6() : null);
        Place gateway = new Place(plan.gateway().v4Bits(), v6 ? plan.gateway6() : null);
        Map<String, Place> names = new HashMap<>();
        names.put("host.docker.internal", host);
        names.put("kubernetes.docker.internal", host); // in the host's hosts file it means the host's loopback
        names.put("gateway.docker.internal", gateway);
        names.put("http.docker.internal", gateway);
        names.put("vm.docker.internal", new Place(plan.guest().v4Bits(), v6 ? plan.guest6() : null));
        names.put("dns.docker.internal", new Place(plan.dns().v4Bits(), v6 ? plan.dns6() : null));
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

    /** Where the host is, for the guest. */
    Place host() {
        return Objects.requireNonNull(addresses.get("host.docker.internal"));
    }

    /** What is known here about {@code name} (lower case, no last dot); null if others are to be asked. */
    @Nullable
    Entry find(String name) {
        Place address = addresses.get(name);
        String zone = zone(name);
        if (address != null) {
            return new Entry.Address(address, zone == null ? name : zone);
        }
        if (zone == null) {
            return name.endsWith(REVERSE) ? reverse(name) : name.endsWith(REVERSE6) ? reverse6(name) : null;
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
        String pointer = pointers.get(IpAddress.v4(address));
        return pointer != null ? new Entry.Pointer(pointer, reverseZone) : new Entry.Absent(reverseZone);
    }

    /** RFC 3596 §2.5: 32 nibbles, the last one first. */
    private @Nullable Entry reverse6(String name) {
        if (!plan.hasIpv6() || !name.endsWith(reverseZone6)) {
            return null;
        }
        if (name.equals(reverseZone6)) {
            return new Entry.Nothing(reverseZone6);
        }
        int end = name.length() - reverseZone6.length() - 1;
        boolean wellFormed = end >= 0 && name.charAt(end) == '.' && end % 2 == 1 && end < 32;
        if (!wellFormed) {
            return name.charAt(Math.max(0, end)) == '.' ? new Entry.Absent(reverseZone6) : null;
        }
        long lo = 0;
        for (int i = 0; i < end; i += 2) {
            int nibble = Character.digit(name.charAt(i), 16);
            if (nibble < 0 || name.charAt(i + 1) != '.') {
                return new Entry.Absent(reverseZone6);
            }
            lo |= (long) nibble << (2 * i);
        }
        if (end < 31) {
            return new Entry.Nothing(reverseZone6); // between the zone and an address
        }
        String pointer = pointers.get(new IpAddress(plan.ipv6Prefix(), lo));
        return pointer != null ? new Entry.Pointer(pointer, reverseZone6) : new Entry.Absent(reverseZone6);
    }

    private static String reverseName6(long prefix) {
        StringBuilder name = new StringBuilder();
        for (int shift = 0; shift < 64; shift += 4) {
            name.append(Character.forDigit((int) (prefix >>> shift) & 0xF, 16)).append('.');
        }
        return name.substring(0, name.length() - 1) + REVERSE6;
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
