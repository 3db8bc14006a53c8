package dev.longshore.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The network namespace that stands for the host, with the servers all contenders talk to on its loopback, and the directory
 * for everything that is made. One thread.
 */
final class Lab implements AutoCloseable {
    static final int IPERF_PORT = 5201;
    static final int ECHO_PORT = 5202;

    private final String prefix = "lsbench" + ProcessHandle.current().pid();
    private final String host = prefix + "-host";
    private final Path dir;
    private final Path netload;
    private final List<String> namespaces = new ArrayList<>();
    private final List<Path> directories = new ArrayList<>();
    private final List<Process> servers = new ArrayList<>();

    Lab() {
        try {
            dir = Files.createTempDirectory("longshore-bench");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        netload = Commands.compile("netload", dir);
        try {
            openHost();
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    private void openHost() {
        namespace(host);
        // Something with a default route: some peers copy the host's addresses, or refuse to start without any. It
        // leads nowhere.
        ip("-n", host, "link", "add", "uplink", "type", "veth", "peer", "name", "nowhere");
        ip("-n", host, "link", "set", "nowhere", "up");
        ip("-n", host, "addr", "add", "10.99.0.2/24", "dev", "uplink");
        ip("-n", host, "link", "set", "uplink", "up");
        ip("-n", host, "route", "add", "default", "via", "10.99.0.1");
        server("iperf3", "-s", "-p", Integer.toString(IPERF_PORT));
        server(netload.toString(), "serve", Integer.toString(ECHO_PORT));
        Commands.run(20, inHost(netload.toString(), "reach", "127.0.0.1", Integer.toString(IPERF_PORT), "10000"));
        Commands.run(20, inHost(netload.toString(), "reach", "127.0.0.1", Integer.toString(ECHO_PORT), "10000"));
    }

    private void server(String... command) {
        servers.add(Commands.start(dir.resolve("servers.log"), inHost(command)));
    }

    /** Makes a namespace with its loopback up and ports that can be used again at once. */
    String namespace(String name) {
        ip("netns", "add", name);
        namespaces.add(name);
        ip("-n", name, "link", "set", "lo", "up");
        Commands.run(
                10,
                "ip",
                "netns",
                "exec",
                name,
                "sh",
                "-c",
                "echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse; "
                        + "echo '1024 65000' > /proc/sys/net/ipv4/ip_local_port_range");
        return name;
    }

    String guestNamespace(String contender) {
        return namespace(prefix + "-" + contender);
    }

    static void ip(String... arguments) {
        Commands.run(10, Stream.concat(Stream.of("ip"), Stream.of(arguments)).toList());
    }

    /** A directory that any user may write to, apart from {@link #dir}, which only root sees into. */
    Path openDirectory(String name) {
        try {
            Path made = Files.createTempDirectory("longshore-bench-" + name);
            Files.setPosixFilePermissions(made, PosixFilePermissions.fromString("rwxrwxrwx"));
            directories.add(made);
            return made;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    String host() {
        return host;
    }

    Path dir() {
        return dir;
    }

    Path netload() {
        return netload;
    }

    List<String> inHost(String... command) {
        return in(host, List.of(command));
    }

    static List<String> in(String namespace, List<String> command) {
        return Stream.concat(Stream.of("ip", "netns", "exec", namespace), command.stream())
                .toList();
    }

    @Override
    public void close() {
        servers.forEach(Commands::end);
        for (String name : namespaces) {
            ip("netns", "del", name);
        }
        delete(dir);
        directories.forEach(Lab::delete);
    }

    private static void delete(Path directory) {
        try (Stream<Path> files = Files.walk(directory)) {
            files.sorted((a, b) -> b.compareTo(a)).forEach(file -> file.toFile().delete());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
