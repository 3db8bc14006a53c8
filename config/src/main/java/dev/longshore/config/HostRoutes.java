package dev.longshore.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The host's IPv4 routes, as Linux shows them in {@code /proc/net/route} (addresses in hexadecimal, host byte order). */
public final class HostRoutes {
    private static final Path TABLE = Path.of("/proc/net/route");

    private HostRoutes() {}

    /** The destinations of all routes but the default one; empty where there is no such table. */
    public static List<Ipv4Subnet> read() {
        try {
            return parse(Files.readString(TABLE));
        } catch (IOException e) {
            return List.of();
        }
    }

    /** Lines that are not understood are left out. */
    static List<Ipv4Subnet> parse(String table) {
        List<Ipv4Subnet> routes = new ArrayList<>();
        for (String line : table.lines().skip(1).toList()) {
            String[] columns = line.trim().split("\\s+", -1);
            if (columns.length >= 8 && columns[1].matches("[0-9A-F]{8}") && columns[7].matches("[0-9A-F]{8}")) {
                int prefix = Integer.bitCount(Integer.parseUnsignedInt(columns[7], 16));
                int bits = Integer.reverseBytes(Integer.parseUnsignedInt(columns[1], 16));
                if (prefix > 0) {
                    routes.add(new Ipv4Subnet(bits & (-1 << (32 - prefix)), prefix));
                }
            }
        }
        return routes;
    }
}
