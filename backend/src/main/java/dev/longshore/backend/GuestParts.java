package dev.longshore.backend;

import dev.longshore.config.AddressPlan;
import dev.longshore.config.Home;
import dev.longshore.config.HostRoutes;
import dev.longshore.config.Problem;
import dev.longshore.config.Settings;
import dev.longshore.config.SettingsFile;
import dev.longshore.config.SettingsResult;
import dev.longshore.config.SubnetChoice;
import dev.longshore.control.Outcome;
import dev.longshore.control.Ports;
import dev.longshore.control.Status;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Puts the parts of the product together. Thread-safe: immutable. */
final class GuestParts implements GuestStack.Factory {
    private static final Logger LOG = LoggerFactory.getLogger(GuestParts.class);

    private final Home home;

    GuestParts(Home home) {
        this.home = home;
    }

    @Override
    public GuestStack create(GuestStack.Ended ended) throws PartException {
        Settings settings = settings();
        SubnetChoice choice = SubnetChoice.choose(settings.network(), HostRoutes.read());
        return new Stack(settings.withNetwork(settings.network().withSubnet(choice.subnet())), choice);
    }

    private Settings settings() throws PartException {
        return switch (SettingsFile.read(home.settingsFile())) {
            case SettingsResult.Usable u -> {
                u.warnings().forEach(w -> LOG.warn("{}: {}", home.settingsFile(), w));
                yield u.settings();
            }
            case SettingsResult.Refused r ->
                throw new PartException(home.settingsFile() + " is not usable:\n"
                        + r.problems().stream().map(Problem::toString).collect(Collectors.joining("\n  ", "  ", "")));
        };
    }

    /** One run. */
    private static final class Stack implements GuestStack {
        private final Settings settings;
        private final SubnetChoice choice;

        Stack(Settings settings, SubnetChoice choice) {
            this.settings = settings;
            this.choice = choice;
        }

        @Override
        public List<Part> parts() {
            return List.of();
        }

        @Override
        public Status.Guest guest() {
            return new Status.Guest("", 0, null, 0, settings.vm().memoryMiB(), false);
        }

        @Override
        public Status.Engine engine() {
            return new Status.Engine(false, "", "");
        }

        @Override
        public Status.Network network() {
            AddressPlan plan = settings.network().plan();
            return new Status.Network(
                    choice.subnet().toString(),
                    choice.moved(),
                    plan.gateway().getHostAddress(),
                    plan.guest().getHostAddress(),
                    plan.dns().getHostAddress(),
                    plan.host().getHostAddress(),
                    settings.network().mtu(),
                    false);
        }

        @Override
        public Ports ports() {
            return new Ports() {
                @Override
                public List<Port> list() {
                    return List.of();
                }

                @Override
                public CompletionStage<Outcome<Port>> expose(
                        Protocol protocol, String hostAddress, int hostPort, String guestAddress, int guestPort) {
                    return CompletableFuture.completedStage(new Outcome.Failed<>(Outcome.Reason.FAILED, "not yet"));
                }

                @Override
                public CompletionStage<Outcome<Outcome.Nothing>> unexpose(
                        Protocol protocol, String hostAddress, int hostPort) {
                    return CompletableFuture.completedStage(new Outcome.Failed<>(Outcome.Reason.NOT_FOUND, "not yet"));
                }
            };
        }
    }
}
