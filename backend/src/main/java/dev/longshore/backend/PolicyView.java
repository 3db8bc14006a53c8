package dev.longshore.backend;

import dev.longshore.config.EgressPolicy;
import dev.longshore.control.Events;
import dev.longshore.control.Flows;
import dev.longshore.control.Outcome;
import dev.longshore.control.PolicyControl;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.policy.Attempt;
import dev.longshore.policy.DecisionListener;
import dev.longshore.policy.EgressControl;
import dev.longshore.policy.Explanation;
import dev.longshore.policy.PolicyUse;
import dev.longshore.policy.Who;
import dev.longshore.vpnkit.hostsocket.NameLookup;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One network's egress policy as observers see it. Thread-safe: the policy is asked on its loop, and names are looked up by a
 * thread of their own, one at a time.
 */
final class PolicyView implements PolicyControl, AutoCloseable {
    private static final int MAX_WAITING = 16;
    private static final int MAX_ADDRESSES = 16;

    private final EventLoop loop;
    private final EgressControl egress;
    private final NameLookup lookup = NameLookup.ofHost();
    private final ThreadPoolExecutor lookups = new ThreadPoolExecutor(
            1,
            1,
            10,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(MAX_WAITING),
            new DefaultThreadFactory("policy-lookup", true));

    PolicyView(EventLoop loop, EgressControl egress) {
        this.loop = loop;
        this.egress = egress;
        lookups.allowCoreThreadTimeOut(true);
    }

    @Override
    public CompletionStage<Outcome<List<Explained>>> explain(Question question) {
        IpAddress literal = literal(question.host());
        if (literal != null) {
            return onLoop(() -> explain(question, null, List.of(literal)));
        }
        String lower = question.host().toLowerCase(Locale.ROOT);
        String name = lower.endsWith(".") ? lower.substring(0, lower.length() - 1) : lower;
        if (name.equals(Attempt.HOST_NAME)) {
            return onLoop(() -> explain(question, name, List.of()));
        }
        CompletableFuture<List<IpAddress>> found = new CompletableFuture<>();
        try {
            lookups.execute(() -> found.complete(addresses(name)));
        } catch (RejectedExecutionException e) {
            return CompletableFuture.completedStage(
                    new Outcome.Failed<>(Outcome.Reason.LIMIT, "too many questions at once; try again"));
        }
        return found.thenCompose(addresses -> onLoop(() -> explain(question, name, addresses)));
    }

    private List<IpAddress> addresses(String name) {
        try {
            return lookup.addressesOf(name).stream()
                    .map(IpAddress::of)
                    .distinct()
                    .limit(MAX_ADDRESSES)
                    .toList();
        } catch (UnknownHostException | RuntimeException e) {
            return List.of(); // the answer shows that it has none
        }
    }

    private static @Nullable IpAddress literal(String text) {
        boolean bracketed = text.startsWith("[") && text.endsWith("]");
        try {
            return IpAddress.parse(bracketed ? text.substring(1, text.length() - 1) : text);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private <T> CompletionStage<Outcome<T>> onLoop(Supplier<Outcome<T>> ask) {
        CompletableFuture<Outcome<T>> answer = new CompletableFuture<>();
        try {
            loop.execute(() -> {
                try {
                    answer.complete(ask.get());
                } catch (RuntimeException e) {
                    answer.completeExceptionally(e);
                }
            });
        } catch (RejectedExecutionException e) {
            answer.complete(new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "the guest's network has just ended"));
        }
        return answer;
    }

    private Outcome<List<Explained>> explain(Question q, @Nullable String name, List<IpAddress> addresses) {
        Who who;
        if (!q.container().isEmpty()) {
            Optional<Who> found = egress.findContainer(q.container());
            if (found.isEmpty()) {
                return new Outcome.Failed<>(
                        Outcome.Reason.NOT_FOUND,
                        "no container that runs, or more than one, is called " + q.container());
            }
            who = found.get();
        } else if (!q.address().isEmpty()) {
            IpAddress source = literal(q.address());
            if (source == null) {
                return new Outcome.Failed<>(Outcome.Reason.INVALID, "no address: " + q.address());
            }
            who = egress.whoHas(source);
        } else {
            who = Who.GUEST;
        }
        return new Outcome.Done<>(egress.explain(who, protocol(q.protocol()), name, addresses, q.port()).stream()
                .map(PolicyView::explained)
                .toList());
    }

    private static EgressPolicy.Protocol protocol(Flows.Protocol protocol) {
        return switch (protocol) {
            case TCP -> EgressPolicy.Protocol.TCP;
            case UDP -> EgressPolicy.Protocol.UDP;
            case ICMP -> EgressPolicy.Protocol.ICMP;
        };
    }

    private static Explained explained(Explanation e) {
        IpAddress address = e.attempt().address();
        return new Explained(
                e.attempt().toString(),
                address == null ? null : address.toString(),
                e.isDenied() ? Action.DENY : Action.ALLOW,
                action(e.action()),
                e.decidedBy(),
                mode(e.mode()),
                e.steps().stream()
                        .map(s -> new Step(s.rule(), action(s.action()), s.dryRun(), s.fits(), s.why()))
                        .toList(),
                e.attempt().asked());
    }

    @Override
    public CompletionStage<Outcome<InForce>> inForce() {
        return onLoop(() -> new Outcome.Done<>(inForce(egress.use())));
    }

    private static InForce inForce(PolicyUse use) {
        EgressPolicy policy = use.policy();
        return new InForce(
                mode(policy.mode()),
                action(policy.byDefault()),
                use.defaults(),
                use.rules().stream()
                        .map(r -> new Rule(
                                r.rule().name(),
                                action(r.rule().action()),
                                r.rule().dryRun(),
                                r.rule().toJson(),
                                r.decisions(),
                                r.trials()))
                        .toList(),
                policy.toJson(),
                use.connections(),
                use.names());
    }

    /** As an event. */
    static Events.PolicyDecided event(DecisionListener.Decided d) {
        return new Events.PolicyDecided(
                d.attempt().toString(), action(d.action()), d.dryRun(), d.rule(), d.like(), d.text());
    }

    private static Action action(EgressPolicy.Action action) {
        return switch (action) {
            case ALLOW -> Action.ALLOW;
            case DENY -> Action.DENY;
        };
    }

    private static Mode mode(EgressPolicy.Mode mode) {
        return switch (mode) {
            case ENFORCE -> Mode.ENFORCE;
            case DRY_RUN -> Mode.DRY_RUN;
            case OFF -> Mode.OFF;
        };
    }

    @Override
    public void close() {
        lookups.shutdownNow();
    }
}
