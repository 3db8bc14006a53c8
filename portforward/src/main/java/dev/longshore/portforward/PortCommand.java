package dev.longshore.portforward;

import java.util.List;
import java.util.concurrent.CompletableFuture;

/** What other threads ask of the {@link PortTable}; the reply is completed on the link's event loop. */
public sealed interface PortCommand {
    record Expose(Forward forward, Owner owner, Runnable onDismissed, CompletableFuture<ExposeResult> reply)
            implements PortCommand {}

    record Release(long id, CompletableFuture<Boolean> reply) implements PortCommand {}

    record Dismiss(long id, CompletableFuture<Boolean> reply) implements PortCommand {}

    record Unexpose(HostEndpoint host, CompletableFuture<UnexposeResult> reply) implements PortCommand {}

    record ListPorts(CompletableFuture<List<PortSnapshot>> reply) implements PortCommand {}

    record Place(BindPolicy policy, CompletableFuture<Integer> reply) implements PortCommand {}

    record Keep(CompletableFuture<Integer> reply) implements PortCommand {}

    record CloseAll(CompletableFuture<Integer> reply) implements PortCommand {}

    CompletableFuture<?> reply();
}
