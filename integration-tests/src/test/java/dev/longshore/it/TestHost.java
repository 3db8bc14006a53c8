package dev.longshore.it;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Another computer, made of a network namespace and a veth pair to this one. Its name holds our process id, so that what a killed run has left is
 * known for that: two of one network would answer for each other.
 */
final class TestHost implements AutoCloseable {
    private static final Pattern NAME = Pattern.compile("lsit-(\\d+)");
    private static final int NETWORKS = 250;

    private final Path peer;
    private final String namespace;
    private final String near;
    private final String network;

    /** Its programs are this computer's and {@code peer}. */
    TestHost(Path peer) {
        this.peer = peer;
        long id = ProcessHandle.current().pid();
        namespace = "lsit-" + id;
        near = "lsit" + id; // with a process id of 7 digits it is shorter than IFNAMSIZ
        removeWhatWasLeft();
        network = freeNetwork(id);
        try {
            ip("netns", "add", namespace);
            ip("link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", namespace);
            ip("addr", "add", hostAddress() + "/24", "dev", near);
            ip("link", "set", near, "up");
            ip("-n", namespace, "addr", "add", address() + "/24", "dev", "eth0");
            ip("-n", namespace, "link", "set", "lo", "up");
            ip("-n", namespace, "link", "set", "eth0", "up");
        } catch (AssertionError e) {
            close();
            throw e;
        }
    }

    private static void removeWhatWasLeft() {
        Matcher names =
                NAME.matcher(Command.of("ip", "netns", "list").run().expectOk().out());
        while (names.find()) {
            String id = names.group(1);
            if (ProcessHandle.of(Long.parseLong(id)).isEmpty()) {
                remove("lsit-" + id, "lsit" + id);
            }
        }
    }

    private static String freeNetwork(long id) {
        for (int i = 0; i < NETWORKS; i++) {
            String free = String.format(Locale.ROOT, "10.213.%d.", (id + i) % NETWORKS);
            if (Command.of("ip", "route", "show", free + "0/24")
                    .run()
                    .expectOk()
                    .out()
                    .isBlank()) {
                return free;
            }
        }
        throw new AssertionError("every network of 10.213.0.0/16 has a route");
    }

    /** The test host's own. */
    String address() {
        return network + "2";
    }

    /** This computer's, as the test host sees it. */
    String hostAddress() {
        return network + "1";
    }

    /** {@code peer} on the test host. */
    Command peer(String... arguments) {
        String[] line = new String[arguments.length + 1];
        line[0] = peer.toString();
        System.arraycopy(arguments, 0, line, 1, arguments.length);
        return command(line);
    }

    /** A command that runs on the test host. */
    Command command(String... line) {
        List<String> inside = new ArrayList<>(List.of("ip", "netns", "exec", namespace));
        inside.addAll(List.of(line));
        return Command.of(inside);
    }

    private static void ip(String... arguments) {
        List<String> line = new ArrayList<>(List.of("ip"));
        line.addAll(List.of(arguments));
        Command.of(line).run().expectOk();
    }

    /** The veth pair goes with its namespace. */
    @Override
    public void close() {
        remove(namespace, near);
    }

    private static void remove(String namespace, String near) {
        Command.of("ip", "link", "del", near).run();
        Command.of("ip", "netns", "del", namespace).run();
    }
}
