package dev.longshore.it;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Another computer, made of a network namespace and a veth pair to this one. Its name holds our process id. */
final class TestHost implements AutoCloseable {
    private final Path peer;
    private final String namespace;
    private final String near;
    private final String network;

    /** Its programs are this computer's and {@code peer}. */
    TestHost(Path peer) {
        this.peer = peer;
        long id = ProcessHandle.current().pid() % 65_536;
        namespace = "lsit-" + id;
        near = "lsit" + id;
        network = String.format(Locale.ROOT, "10.213.%d.", id % 250);
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
        Command.of("ip", "link", "del", near).run();
        Command.of("ip", "netns", "del", namespace).run();
    }
}
