package dev.longshore.backend;

import dev.longshore.control.Outcome;
import dev.longshore.control.Ports;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.ExposeResult;
import dev.longshore.portforward.Forward;
import dev.longshore.portforward.HostEndpoint;
import dev.longshore.portforward.Owner;
import dev.longshore.portforward.PortSnapshot;
import dev.longshore.portforward.PortTable;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.Supplier;

/** The port table as the control socket sees it. Thread-safe: sends commands to the table's loop. */
final class PublishedPorts implements Ports {
    private static final long LIST_SECONDS = 5;
    private static final IpAddress ANY = IpAddress.v4(0);

    private final PortTable table;
    private final IpAddress guest;

    /** @param guest where a port leads if nothing else is said */
    PublishedPorts(PortTable table, IpAddress guest) {
        this.table = table;
        this.guest = guest;
    }

    /** Waits for the loop, which never takes long. */
    @Override
    public List<Port> list() {
        try {
            return table.list().get(LIST_SECONDS, TimeUnit.SECONDS).stream()
                    .map(PublishedPorts::port)
                    .toList();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return List.of();
        } catch (ExecutionException | TimeoutException e) {
            return List.of(); // the network has just stopped, and its ports with it
        }
    }

    @Override
    public CompletionStage<Outcome<Port>> expose(
            Protocol protocol,
            String hostAddress,
            int hostPort,
            String guestAddress,
            int guestPort,
            ProxyProtocol proxy) {
        return understood(() -> new Forward(
                        endpoint(protocol, hostAddress, hostPort),
                        address(guestAddress, guest),
                        guestPort,
                        dev.longshore.portforward.ProxyProtocol.valueOf(proxy.name())))
                .fold(PublishedPorts::failed, forward -> table.expose(forward, Owner.CONTROL_API)
                        .thenApply(r -> outcome(r, forward)));
    }

    @Override
    public CompletionStage<Outcome<Outcome.Nothing>> unexpose(Protocol protocol, String hostAddress, int hostPort) {
        return understood(() -> endpoint(protocol, hostAddress, hostPort))
                .fold(PublishedPorts::failed, host -> table.unexpose(host).thenApply(r -> switch (r) {
                    case RELEASED -> new Outcome.Done<>(Outcome.Nothing.NOTHING);
                    case NOT_FOUND -> new Outcome.Failed<>(Outcome.Reason.NOT_FOUND, "no port " + host.text());
                    case OWNED_BY_CONTAINER ->
                        new Outcome.Failed<>(
                                Outcome.Reason.WRONG_STATE,
                                "port " + host.text() + " belongs to a container: stop the container to release it");
                }));
    }

    /** A value, or the text of why there is none. */
    private record Understood<T>(Optional<T> value, String error) {
        <R> R fold(Function<String, R> otherwise, Function<T, R> then) {
            return value.map(then).orElseGet(() -> otherwise.apply(error));
        }
    }

    private static <T> Understood<T> understood(Supplier<T> parse) {
        try {
            return new Understood<>(Optional.of(parse.get()), "");
        } catch (IllegalArgumentException e) {
            return new Understood<>(Optional.empty(), String.valueOf(e.getMessage()));
        }
    }

    private static <T> CompletionStage<Outcome<T>> failed(String text) {
        return CompletableFuture.completedStage(new Outcome.Failed<>(Outcome.Reason.INVALID, text));
    }

    private static HostEndpoint endpoint(Protocol protocol, String address, int port) {
        if (protocol == Protocol.UNIX) {
            return new HostEndpoint.UnixPath(address);
        }
        IpAddress at = address(address, ANY);
        return protocol == Protocol.TCP ? HostEndpoint.tcp(at, port) : HostEndpoint.udp(at, port);
    }

    private static IpAddress address(String literal, IpAddress otherwise) {
        return literal.isEmpty() ? otherwise : IpAddress.parse(literal);
    }

    private static Outcome<Port> outcome(ExposeResult result, Forward forward) {
        return switch (result) {
            case ExposeResult.Exposed e -> new Outcome.Done<>(port(e.bound(), forward, Owner.CONTROL_API, 0, e.note()));
            case ExposeResult.Refused r -> new Outcome.Failed<>(reason(r.reason()), r.message());
        };
    }

    private static Outcome.Reason reason(ExposeResult.Reason reason) {
        return switch (reason) {
            case IN_USE -> Outcome.Reason.TAKEN;
            case FORBIDDEN -> Outcome.Reason.FORBIDDEN;
            case NO_SUCH_ADDRESS -> Outcome.Reason.INVALID;
            case CANCELLED -> Outcome.Reason.WRONG_STATE;
            case OTHER -> Outcome.Reason.FAILED;
        };
    }

    private static Port port(PortSnapshot p) {
        return port(p.host(), p.requested(), p.owner(), p.active(), p.note());
    }

    private static Port port(HostEndpoint host, Forward forward, Owner owner, long active, String note) {
        return new Port(
                Protocol.valueOf(host.protocol().name()),
                host instanceof HostEndpoint.Port at ? at.address().toString() : host.text(),
                host instanceof HostEndpoint.Port at ? at.port() : 0,
                forward.guest().toString(),
                forward.guestPort(),
                owner.kind().word(),
                active,
                note,
                ProxyProtocol.valueOf(forward.proxy().name()));
    }
}
