package dev.longshore.backend;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What the host serves on its loopback, as Linux's {@code /proc/net/{tcp,tcp6,udp,udp6}} has it. Immutable; reading takes as long
 * as there are listeners, not connections: the kernel lists those first.
 */
record HostServices(Path net) {
    /** More than any host's; a guest's packet filter need not hold more. */
    static final int MAX = 512;

    private static final String TCP_LISTEN = "0A";
    private static final String UDP_UNCONNECTED = "07";
    private static final String ANY_V4 = "00000000";
    private static final String ANY_V6 = "00000000000000000000000000000000";
    private static final String LOOPBACK_V6 = "00000000000000000000000001000000"; // ::1 in words of the host's order
    private static final String MAPPED = "0000000000000000FFFF0000"; // ::ffff:0:0/96, where a JVM's IPv4 sockets are
    private static final int FIRST_EPHEMERAL = 32_768;

    /**
     * One port.
     *
     * @param protocol {@code tcp} or {@code udp}
     */
    record Service(String protocol, int port) implements Comparable<Service> {
        @Override
        public int compareTo(Service other) {
            int byProtocol = protocol.compareTo(other.protocol);
            return byProtocol != 0 ? byProtocol : Integer.compare(port, other.port);
        }

        @Override
        public String toString() {
            return protocol + " " + port;
        }
    }

    static HostServices ofHost() {
        return new HostServices(Path.of("/proc/net"));
    }

    /** The first {@link #MAX}, TCP first and by number. A table that can't be read counts as empty: a host may lack IPv6. */
    Set<Service> read() {
        Set<Service> found = new TreeSet<>();
        for (String table : new String[] {"tcp", "tcp6", "udp", "udp6"}) {
            try (BufferedReader lines = Files.newBufferedReader(net.resolve(table), StandardCharsets.US_ASCII)) {
                String protocol = table.substring(0, 3);
                lines.readLine();
                String line;
                while ((line = lines.readLine()) != null) {
                    String[] words = line.strip().split(" +", 5);
                    if (words.length < 4) {
                        break;
                    }
                    if (protocol.equals("tcp") && !words[3].equals(TCP_LISTEN)) {
                        break; // the listeners come first
                    }
                    Service service = service(protocol, words[1], words[3]);
                    if (service != null) {
                        found.add(service);
                    }
                }
            } catch (IOException e) {
                // none
            }
        }
        return found.stream().limit(MAX).collect(TreeSet::new, Set::add, Set::addAll);
    }

    /** {@code 0100007F:1F90}: the address in words of the host's order, the port in hexadecimal. */
    private static @Nullable Service service(String protocol, String local, String state) {
        int colon = local.indexOf(':');
        if (colon < 0 || (protocol.equals("udp") && !state.equals(UDP_UNCONNECTED))) {
            return null;
        }
        int port;
        try {
            port = Integer.parseInt(local.substring(colon + 1), 16);
        } catch (NumberFormatException e) {
            return null;
        }
        // UDP ports of the ephemeral range are clients' waiting for answers, far more often than services
        boolean client = protocol.equals("udp") && port >= FIRST_EPHEMERAL;
        return isLoopback(local.substring(0, colon).toUpperCase(Locale.ROOT)) && port > 0 && !client
                ? new Service(protocol, port)
                : null;
    }

    /** All architectures that we run on have the low byte first. */
    private static boolean isLoopback(String hex) {
        return hex.equals(ANY_V4)
                || hex.equals(ANY_V6)
                || hex.equals(LOOPBACK_V6)
                || hex.equals(MAPPED + ANY_V4)
                || ((hex.length() == 8 || hex.startsWith(MAPPED)) && hex.endsWith("7F"));
    }
}
