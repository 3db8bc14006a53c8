package dev.longshore.control;

import java.util.List;
import java.util.concurrent.CompletionStage;

/** What the control socket asks of the published ports. Thread-safe. */
public interface Ports {
    List<Port> list();

    /**
     * Binds a port.
     *
     * @param hostAddress an address literal; empty for the one the settings prescribe
     * @param hostPort 0 for any free one
     * @param guestAddress an address literal; empty for the guest itself
     */
    CompletionStage<Outcome<Port>> expose(
            Protocol protocol, String hostAddress, int hostPort, String guestAddress, int guestPort);

    CompletionStage<Outcome<Outcome.Nothing>> unexpose(Protocol protocol, String hostAddress, int hostPort);

    enum Protocol {
        TCP,
        UDP
    }

    /** One listener of the host. Immutable. The fields are explained in {@code ports.proto}. */
    record Port(
            Protocol protocol,
            String hostAddress,
            int hostPort,
            String guestAddress,
            int guestPort,
            String owner,
            long active,
            String note) {}
}
