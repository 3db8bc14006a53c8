package dev.longshore.backend;

import dev.longshore.config.EffectiveSettings;
import dev.longshore.config.Home;
import dev.longshore.config.HostRoutes;
import dev.longshore.config.Ipv4Subnet;
import dev.longshore.config.Settings;
import dev.longshore.config.SubnetChoice;
import dev.longshore.control.Events;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Puts the parts of the product together. Thread-safe: immutable. */
final class GuestParts implements GuestStack.Factory {
    private static final Logger LOG = LoggerFactory.getLogger(GuestParts.class);

    private final Home home;
    private final LiveSettings live;
    private final Consumer<Events.What> events;
    private final Meters meters;

    GuestParts(Home home, LiveSettings live, Consumer<Events.What> events, Meters meters) {
        this.home = home;
        this.live = live;
        this.events = events;
        this.meters = meters;
    }

    @Override
    public GuestStack create(GuestStack.Ended ended) throws PartException {
        EffectiveSettings effective = live.forStart();
        Settings settings = effective.settings();
        SubnetChoice choice = SubnetChoice.choose(settings.network(), HostRoutes.read());
        choice.overlap().ifPresent(route -> note(describe(settings, choice, route)));
        Settings moved = settings.withNetwork(settings.network().withSubnet(choice.subnet()));
        try {
            return new GuestRun(
                    home, effective, moved, choice, GuestMachine.choose(home, moved, ended), live, events, meters);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PartException("cancelled", e);
        }
    }

    private static String describe(Settings settings, SubnetChoice choice, Ipv4Subnet route) {
        String overlap = "the subnet " + settings.network().subnet() + " overlaps the host's route to " + route;
        return choice.moved()
                ? overlap + "; the guest's network is " + choice.subnet() + " instead"
                : overlap + "; what is behind that route can't be reached from containers";
    }

    /** For the log and for whoever waits for the start. */
    private void note(String text) {
        LOG.warn("{}", text);
        events.accept(new Events.Notice(text));
    }
}
