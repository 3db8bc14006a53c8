package dev.longshore.control;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A snapshot of everything {@code status} shows. Immutable. The fields are explained in {@code daemon.proto}. */
public record Status(
        State state,
        String message,
        String dockerHost,
        DaemonProcess daemon,
        Guest guest,
        Engine engine,
        Network network,
        long startEvent,
        Configuration settings) {
    /** As in {@code daemon.proto}. */
    public enum State {
        STARTING,
        RUNNING,
        STOPPING,
        STOPPED,
        FAILED
    }

    public record DaemonProcess(long pid, String version, Instant started, String home, long residentBytes) {}

    /**
     * The machine.
     *
     * @param pid 0 if no guest runs; {@code started} is null then
     */
    public record Guest(
            String kind, long pid, @Nullable Instant started, int cpus, int memoryMiB, boolean agentReady) {}

    /** What is to be said of the settings. */
    public record Configuration(List<String> problems, List<String> warnings, List<String> pending) {
        public static final Configuration NONE = new Configuration(List.of(), List.of(), List.of());
    }

    public record Engine(boolean ready, String version, String apiVersion) {}

    /**
     * What is to be said of the network; {@code portProblems} has a sentence for each port that should be bound and can't,
     * {@code proxyProblems} one for what of the proxies is not as it was meant.
     */
    public record Network(
            String subnet,
            boolean moved,
            String gateway,
            String guest,
            String dns,
            String host,
            int mtu,
            boolean linkUp,
            long dropped,
            List<String> portProblems,
            String proxy,
            List<String> proxyProblems) {
        public Network {
            portProblems = List.copyOf(portProblems);
            proxyProblems = List.copyOf(proxyProblems);
        }
    }
}
