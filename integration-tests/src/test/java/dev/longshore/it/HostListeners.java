package dev.longshore.it;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What a process of this host really listens on, as the kernel has it. */
final class HostListeners {
    private static final Pattern SOCKET = Pattern.compile("socket:\\[(\\d+)]");
    private static final String LISTEN = "0A";
    private static final String UNCONNECTED = "07";

    /** As in {@code tcp4 8080}: one for each socket, whatever its address. */
    static Set<String> of(long pid) {
        try {
            Set<String> inodes = inodes(pid);
            Set<String> found = new TreeSet<>();
            collect("tcp4", "tcp", LISTEN, inodes, found);
            collect("tcp6", "tcp6", LISTEN, inodes, found);
            collect("udp4", "udp", UNCONNECTED, inodes, found);
            collect("udp6", "udp6", UNCONNECTED, inodes, found);
            return found;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static Set<String> inodes(long pid) throws IOException {
        Set<String> inodes = new TreeSet<>();
        try (Stream<Path> fds = Files.list(Path.of("/proc/" + pid + "/fd"))) {
            for (Path fd : fds.toList()) {
                try {
                    Matcher m = SOCKET.matcher(Files.readSymbolicLink(fd).toString());
                    if (m.matches()) {
                        inodes.add(m.group(1));
                    }
                } catch (IOException e) {
                    // closed meanwhile
                }
            }
        }
        return inodes;
    }

    private static void collect(String word, String file, String state, Set<String> inodes, Set<String> to)
            throws IOException {
        Path table = Path.of("/proc/net/" + file);
        if (!Files.exists(table)) {
            return; // no IPv6
        }
        String text = new String(Files.readAllBytes(table), StandardCharsets.US_ASCII);
        text.lines().skip(1).forEach(line -> {
            String[] w = line.strip().split(" +", -1);
            if (w[3].equals(state) && inodes.contains(w[9])) {
                to.add(word + " " + Integer.parseInt(w[1].substring(w[1].indexOf(':') + 1), 16));
            }
        });
    }

    private HostListeners() {}
}
