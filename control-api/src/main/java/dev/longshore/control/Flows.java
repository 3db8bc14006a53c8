package dev.longshore.control;

import java.time.Instant;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** What the control socket asks of the guest's flows. Thread-safe. */
public interface Flows {
    /** All flows of now, in no order. Fails with WRONG_STATE if no guest runs. */
    CompletionStage<Outcome<List<Flow>>> look();

    enum Protocol {
        TCP,
        UDP,
        ICMP
    }

    enum Opener {
        GUEST,
        HOST
    }

    /** An address literal and a port. Immutable. */
    record End(String address, int port) {}

    /** Who a flow belongs to. Immutable. The fields are explained in {@code flows.proto}. */
    record Container(
            String id,
            String name,
            String image,
            @Nullable String project,
            @Nullable String service,
            Set<String> networks) {
        public Container {
            networks = Set.copyOf(networks);
        }
    }

    /** One flow as it was at one moment. Immutable. The fields are explained in {@code flows.proto}. */
    record Flow(
            Protocol protocol,
            End guest,
            End remote,
            @Nullable End host,
            Opener opener,
            String state,
            long bytesFromGuest,
            long bytesToGuest,
            long retransmissions,
            OptionalLong smoothedRttMicros,
            Instant opened,
            long queuedToGuest,
            @Nullable Container owner,
            boolean ofGuestItself) {
        /** What makes two looks see the same flow. Immutable. */
        record Key(Protocol protocol, End guest, End remote, Instant opened) {}

        Key key() {
            return new Key(protocol, guest, remote, opened);
        }
    }
}
