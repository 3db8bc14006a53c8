package dev.longshore.backend;

import dev.longshore.config.AddressPlan;
import dev.longshore.config.Settings;
import dev.longshore.config.Version;
import dev.longshore.control.Daemon;
import dev.longshore.control.Outcome;
import dev.longshore.control.Status;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** What {@code longshore net} says on its control socket: it has no guest to start or stop. Thread-safe: immutable. */
final class NetDaemon implements Daemon {
    private static final String NO_GUEST = "the guest is not this program's: longshore net runs only its network";

    private final String link;
    private final Settings.Network network;
    private final ProxyView proxies;
    private final Supplier<String> metrics;
    private final LongSupplier dropped;
    private final Runnable end;
    private final Instant born = Instant.now();

    /**
     * For one run.
     *
     * @param link for the user
     * @param dropped packets, for all reasons
     * @param end begins the end of the process
     */
    NetDaemon(
            String link,
            Settings.Network network,
            ProxyView proxies,
            Supplier<String> metrics,
            LongSupplier dropped,
            Runnable end) {
        this.proxies = proxies;
        this.link = link;
        this.network = network;
        this.metrics = metrics;
        this.dropped = dropped;
        this.end = end;
    }

    @Override
    public Status status() {
        AddressPlan plan = network.plan();
        return new Status(
                Status.State.RUNNING,
                link,
                "",
                new Status.DaemonProcess(ProcessHandle.current().pid(), Version.current(), born, "", Resident.bytes()),
                new Status.Guest("", 0, null, 0, 0, false),
                new Status.Engine(false, "", ""),
                new Status.Network(
                        network.subnet().toString(),
                        false,
                        plan.gateway().getHostAddress(),
                        plan.guest().getHostAddress(),
                        plan.dns().getHostAddress(),
                        plan.host().getHostAddress(),
                        network.mtu(),
                        true,
                        dropped.getAsLong(),
                        List.of(),
                        proxies.summary(),
                        proxies.problems()),
                0,
                Status.Configuration.NONE);
    }

    @Override
    public CompletionStage<Outcome<String>> startGuest() {
        return CompletableFuture.completedStage(new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, NO_GUEST));
    }

    @Override
    public CompletionStage<Outcome<Outcome.Nothing>> stopGuest() {
        return CompletableFuture.completedStage(new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, NO_GUEST));
    }

    @Override
    public void shutdown() {
        end.run();
    }

    @Override
    public String metrics() {
        return metrics.get();
    }
}
