package dev.longshore.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Contenders whose guest is User-mode Linux over vhost-user. Kernel and programs of the guest are those of the peers' root
 * directory, the same for all; it needs the packages user-mode-linux, iperf3, kmod and iproute2.
 */
final class UmlContenders {
    private static final int SOCKET_MS = 20_000;

    private UmlContenders() {}

    static List<Contender> all(Path launcher, Peers peers) {
        return List.of(
                new Longshore(launcher, peers, 1500),
                new Passt(peers, 1500),
                new Longshore(launcher, peers, 65520),
                new Passt(peers, 65520));
    }

    private static Optional<String> obstacle(Peers peers) {
        if (peers.root().isEmpty()) {
            return Optional.of("--peers names no directory with a guest's kernel and programs");
        }
        for (String needed : new String[] {"usr/bin/linux.uml", "usr/bin/iperf3", "usr/bin/ip", "usr/sbin/insmod"}) {
            if (!Files.exists(peers.root().get().resolve(needed))) {
                return Optional.of(peers.root().get().resolve(needed) + " is missing");
            }
        }
        return Commands.find("patchelf").isPresent() ? Optional.empty() : Optional.of("patchelf is not installed");
    }

    /** The kernel is a dynamic program of that root: a copy is pointed at that root's own loader. */
    private static Path kernel(Lab lab, Path root) {
        Path kernel = lab.dir().resolve("linux");
        if (!Files.exists(kernel)) {
            try {
                Files.copy(root.resolve("usr/bin/linux.uml"), kernel);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            Commands.run(
                    30,
                    "patchelf",
                    "--set-interpreter",
                    root.resolve("usr/lib64/ld-linux-x86-64.so.2").toString(),
                    "--set-rpath",
                    root.resolve("usr/lib/x86_64-linux-gnu").toString(),
                    kernel.toString());
        }
        return kernel;
    }

    private static Guest guest(
            Lab lab, Peers peers, Process stack, Path socket, String network, int mtu, String target) {
        Path root = peers.root().orElseThrow();
        try {
            Waiting.until(SOCKET_MS, socket.toString(), () -> Files.exists(socket));
            UmlGuest guest = new UmlGuest(
                    lab, kernel(lab, root), root, stack, socket, network + ".3", network + ".1", mtu, target);
            return TapContenders.reached(lab, guest);
        } catch (BenchException e) {
            Commands.end(stack);
            throw e;
        }
    }

    record Longshore(Path launcher, Peers peers, int mtu) implements Contender {
        @Override
        public String name() {
            return "longshore vhost-user " + mtu;
        }

        @Override
        public Optional<String> obstacle() {
            return UmlContenders.obstacle(peers);
        }

        @Override
        public Guest start(Lab lab) {
            Path socket = lab.dir().resolve("longshore" + mtu + ".sock");
            Process stack = Commands.start(
                    TapContenders.log(lab, this),
                    lab.inHost(
                            launcher.toString(),
                            "net",
                            "--vhost-user-uml",
                            socket.toString(),
                            "--mtu",
                            Integer.toString(mtu)));
            return guest(lab, peers, stack, socket, "192.168.65", mtu, "192.168.65.254");
        }
    }

    record Passt(Peers peers, int mtu) implements Contender {
        @Override
        public String name() {
            return "passt vhost-user " + mtu;
        }

        @Override
        public Optional<String> obstacle() {
            return UmlContenders.obstacle(peers).or(() -> peers.obstacle("passt"));
        }

        @Override
        public Guest start(Lab lab) {
            Path socket = lab.dir().resolve("passt" + mtu + ".sock");
            String[] options = ("-f --runas 65534:65534 --vhost-user --socket-path " + socket + " -m " + mtu
                            + " -a 10.98.0.3 -n 24 -g 10.98.0.1 --map-host-loopback 10.98.0.1 --dns none -t none -u none")
                    .split(" ");
            lab.dir().toFile().setWritable(true, false); // passt makes its socket as another user
            lab.dir().toFile().setExecutable(true, false);
            Process stack = Commands.start(
                    TapContenders.log(lab, this),
                    Lab.in(lab.host(), peers.command("passt", options).orElseThrow()));
            return guest(lab, peers, stack, socket, "10.98.0", mtu, "10.98.0.1");
        }
    }
}
