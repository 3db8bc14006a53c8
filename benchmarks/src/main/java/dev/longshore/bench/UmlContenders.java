package dev.longshore.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Contenders whose guest is a virtual machine of User-mode Linux, its card behind a vhost-user socket. */
final class UmlContenders {
    private static final int START_MS = 20_000;

    private UmlContenders() {}

    /** This product's network alone. */
    record Longshore(String program, Path launcher, UmlKernel kernel, int mtu) implements Contender {
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
            Path socket = lab.dir().resolve(program + mtu + ".sock");
            Process stack = Commands.start(
                    TapContenders.log(lab, this),
                    lab.inHost(
                            launcher.toString(),
                            "net",
                            "--vhost-user-uml",
                            socket.toString(),
                            "--mtu",
                            Integer.toString(mtu)));
            return boot(lab, this, kernel, mtu, socket, stack, "192.168.65.254");
        }
    }

    /** passt as a vhost-user back end. */
    record Passt(Peers peers, UmlKernel kernel, int mtu) implements Contender {
        private static final String GATEWAY = "10.98.0.1";

        @Override
        public String name() {
            return "passt " + mtu;
        }

        @Override
        public Optional<String> obstacle() {
            return peers.obstacle("passt");
        }

        @Override
        public Guest start(Lab lab) {
            // It becomes nobody before it makes its socket, so the directory is one that anybody may write to.
            Path dir = lab.openDirectory("passt" + mtu);
            Path socket = dir.resolve("passt" + mtu + ".sock");
            List<String> options = new ArrayList<>(
                    List.of("-f", "--runas", "65534:65534", "--vhost-user", "--socket-path", socket.toString()));
            options.addAll(List.of("-m", Integer.toString(mtu), "-a", "10.98.0.2", "-n", "24", "-g", GATEWAY));
            options.addAll(List.of("--map-host-loopback", GATEWAY, "--dns", "none", "-t", "none", "-u", "none"));
            Process stack = Commands.start(
                    TapContenders.log(lab, this),
                    Lab.in(
                            lab.host(),
                            peers.command("passt", options.toArray(String[]::new))
                                    .orElseThrow()));
            return boot(lab, this, kernel, mtu, socket, stack, GATEWAY);
        }
    }

    private static Guest boot(
            Lab lab, Contender contender, UmlKernel kernel, int mtu, Path socket, Process stack, String target) {
        try {
            Waiting.until(
                    START_MS,
                    "socket of " + contender.name(),
                    () -> socket.toFile().exists() || !stack.isAlive());
            if (!stack.isAlive()) {
                throw new BenchException("the stack has ended");
            }
        } catch (BenchException e) {
            Commands.end(stack);
            throw e;
        }
        return TapContenders.reached(
                lab, UmlGuest.boot(lab, kernel, socket, mtu, stack, target, TapContenders.log(lab, contender)));
    }
}
