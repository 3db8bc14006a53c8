package dev.longshore.control;

import java.util.List;
import java.util.concurrent.CompletionStage;

/** What the control socket asks of the published ports. Thread-safe. */
public interface Ports {
    List<Port> list();

    /**
     * Binds a port.
     *
     * @param hostAddress an address literal; empty for the one the settings prescribe; the path of a Unix socket
     * @param hostPort 0 for any free one
     * @param guestAddress an address literal; empty for the guest itself
     */
    CompletionStage<Outcome<Port>> expose(
            Protocol protocol,
            String hostAddress,
            int hostPort,
            String guestAddress,
            int guestPort,
            ProxyProtocol proxy);

    /** Without the PROXY protocol. */
    default CompletionStage<Outcome<Port>> expose(
            Protocol protocol, String hostAddress, int hostPort, String guestAddress, int guestPort) {
        return expose(protocol, hostAddress, hostPort, guestAddress, guestPort, ProxyProtocol.NONE);
    }

    CompletionStage<Outcome<Outcome.Nothing>> unexpose(Protocol protocol, String hostAddress, int hostPort);

    enum Protocol {
        TCP,
        UDP,
        UNIX
    }

    /** How a service is told who called. */
    enum ProxyProtocol {
        NONE,
        V1,
        V2
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
            String note,
            ProxyProtocol proxy) {}
}
