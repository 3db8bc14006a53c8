package dev.longshore.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Contenders whose guest is a network namespace with a TAP device. */
final class TapContenders {
    private static final String TAP = "tap0";
    private static final int START_MS = 20_000;

    private TapContenders() {}

    /** The physical limit: a program talks to the host's servers over the host's loopback. */
    record Loopback() implements Contender {
        @Override
        public String name() {
            return "loopback";
        }

        @Override
        public Optional<String> obstacle() {
            return Optional.empty();
        }

        @Override
        public Guest start(Lab lab) {
            return new NamespaceGuest(lab, lab.host(), "127.0.0.1", null, List.of());
        }
    }

    /** This product's network alone. */
    record Longshore(String program, Path launcher, int mtu, List<String> options) implements Contender {
        @Override
        public String name() {
            return program + " " + mtu;
        }

        @Override
        public Optional<String> obstacle() {
            return Optional.empty();
        }

        @Override
        public Guest start(Lab lab) {
            String namespace = lab.guestNamespace(program + mtu);
            List<String> command = new ArrayList<>(lab.inHost(
                    launcher.toString(),
                    "net",
                    "--tap",
                    TAP + "@" + namespace,
                    "--configure",
                    "--mtu",
                    Integer.toString(mtu)));
            command.addAll(options);
            Process stack = Commands.start(log(lab, this), command);
            return reached(lab, new NamespaceGuest(lab, namespace, "192.168.65.254", stack, List.of()));
        }
    }

    record Slirp4netns(Peers peers, int mtu) implements Contender {
        @Override
        public String name() {
            return "slirp4netns " + mtu;
        }

        @Override
        public Optional<String> obstacle() {
            return peers.obstacle("slirp4netns");
        }

        @Override
        public Guest start(Lab lab) {
            String namespace = lab.guestNamespace("slirp" + mtu);
            Process stack = Commands.start(
                    log(lab, this),
                    Lab.in(
                            lab.host(),
                            peers.command(
                                            "slirp4netns",
                                            "--configure",
                                            "--mtu=" + mtu,
                                            "--netns-type=path",
                                            "/run/netns/" + namespace,
                                            TAP)
                                    .orElseThrow()));
            return reached(lab, new NamespaceGuest(lab, namespace, "10.0.2.2", stack, List.of()));
        }
    }

    record Pasta(Peers peers, int mtu) implements Contender {
        private static final String GATEWAY = "10.98.0.1";

        @Override
        public String name() {
            return "pasta " + mtu;
        }

        @Override
        public Optional<String> obstacle() {
            return peers.obstacle("pasta");
        }

        @Override
        public Guest start(Lab lab) {
            String namespace = lab.guestNamespace("pasta" + mtu);
            String[] options = ("--runas 0 -f -m " + mtu + " --config-net -a 10.98.0.2 -n 24 -g " + GATEWAY
                            + " --map-host-loopback " + GATEWAY
                            + " -t none -u none -T none -U none --netns-only --netns /run/netns/" + namespace)
                    .split(" ");
            Process stack = Commands.start(
                    log(lab, this),
                    Lab.in(lab.host(), peers.command("pasta", options).orElseThrow()));
            return reached(lab, new NamespaceGuest(lab, namespace, GATEWAY, stack, List.of()));
        }
    }

    /** gvproxy knows no TAP: frames go through a small program, whose processor time is not counted as gvproxy's. */
    record Gvproxy(Peers peers, int mtu) implements Contender {
        @Override
        public String name() {
            return "gvproxy " + mtu;
        }

        @Override
        public Optional<String> obstacle() {
            return peers.obstacle("gvproxy");
        }

        @Override
        public Guest start(Lab lab) {
            String namespace = lab.guestNamespace("gvproxy" + mtu);
            Path socket = lab.dir().resolve("gvproxy" + mtu + ".sock");
            Process stack = Commands.start(
                    log(lab, this),
                    Lab.in(
                            lab.host(),
                            peers.command(
                                            "gvproxy",
                                            "-mtu",
                                            Integer.toString(mtu),
                                            "-ssh-port",
                                            "-1",
                                            "-listen-qemu",
                                            "unix://" + socket)
                                    .orElseThrow()));
            Waiting.until(START_MS, "gvproxy's socket", () -> socket.toFile().exists());
            String bridge = Commands.compile("tapstream", lab.dir()).toString();
            Process helper = Commands.start(log(lab, this), Lab.in(namespace, List.of(bridge, TAP, socket.toString())));
            Waiting.until(START_MS, TAP, () -> Commands.run(5, "ip", "-n", namespace, "-o", "link")
                    .contains(TAP));
            Lab.ip(
                    "-n",
                    namespace,
                    "link",
                    "set",
                    TAP,
                    "address",
                    "5a:94:ef:e4:0c:ee",
                    "mtu",
                    Integer.toString(mtu),
                    "up");
            Lab.ip("-n", namespace, "addr", "add", "192.168.127.2/24", "dev", TAP);
            Lab.ip("-n", namespace, "route", "add", "default", "via", "192.168.127.1");
            return reached(lab, new NamespaceGuest(lab, namespace, "192.168.127.254", stack, List.of(helper)));
        }
    }

    static Path log(Lab lab, Contender contender) {
        return lab.dir().resolve(contender.name().replace(' ', '-') + ".log");
    }

    /** Waits until the guest reaches the host's server; otherwise what was started is ended. */
    static Guest reached(Lab lab, Guest guest) {
        try {
            guest.run(
                    2 * START_MS / 1000,
                    List.of(
                            guest.netload(),
                            "reach",
                            guest.target(),
                            Integer.toString(Lab.ECHO_PORT),
                            Integer.toString(START_MS)));
            return guest;
        } catch (BenchException e) {
            guest.close();
            throw e;
        }
    }
}
