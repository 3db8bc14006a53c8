package dev.longshore.backend;

import dev.longshore.vpnkit.flow.ContainerAccount;
import io.micrometer.core.instrument.Tags;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Meters of each container that has flows, which come and go with the account. Two containers of one name, one after the other,
 * are told apart by their ids. Thread-safe: two scrapes at once take turns.
 */
final class ContainerMeters {
    /** As many digits of an id as Docker shows. */
    private static final int ID_DIGITS = 12;

    private final Meters meters;
    private final Supplier<List<ContainerAccount>> accounts;
    private final Map<ContainerAccount, Meters.Group> shown = new HashMap<>();
    private boolean closed;

    ContainerMeters(Meters meters, Supplier<List<ContainerAccount>> accounts) {
        this.meters = meters;
        this.accounts = accounts;
    }

    /** Before each scrape. */
    synchronized void refresh() {
        if (closed) {
            return;
        }
        Set<ContainerAccount> now = new HashSet<>(accounts.get());
        shown.entrySet().removeIf(e -> {
            boolean gone = !now.contains(e.getKey());
            if (gone) {
                e.getValue().close();
            }
            return gone;
        });
        now.forEach(a -> shown.computeIfAbsent(a, this::show));
    }

    private Meters.Group show(ContainerAccount account) {
        Meters.Group group = meters.group(() -> {});
        String id = account.identity().id();
        Tags tags = Tags.of(
                "container", account.identity().name(), "id", id.substring(0, Math.min(ID_DIGITS, id.length())));
        group.counter(
                "vpnkit.container.flows.opened", "Flows of a container, opened by either side.", tags, account::flows);
        group.counter(
                "vpnkit.container.bytes",
                "Payload of a container's flows.",
                tags.and("direction", "fromGuest"),
                account::bytesFromGuest);
        group.counter(
                "vpnkit.container.bytes",
                "Payload of a container's flows.",
                tags.and("direction", "toGuest"),
                account::bytesToGuest);
        return group;
    }

    synchronized void close() {
        closed = true;
        shown.values().forEach(Meters.Group::close);
        shown.clear();
    }
}
