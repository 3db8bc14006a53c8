package dev.longshore.policy;

import dev.longshore.config.EgressPolicy.Protocol;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.EgressDialer;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import dev.longshore.vpnkit.hostsocket.ResetClose;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Dials what the policy allows. A name is judged before it is looked up, if the policy can judge it without its addresses, and each
 * address of it before it is dialled.
 *
 * <p>Confined to the link's event loop: dials of other loops are refused as a bug.
 */
public final class GuardedDialer implements EgressDialer {
    private final EgressControl control;
    private final DirectDialer direct;
    private final OwnAddresses own;

    GuardedDialer(EgressControl control, DirectDialer direct, OwnAddresses own) {
        this.control = control;
        this.direct = direct;
        this.own = own;
    }

    @Override
    public Future<DialResult> dial(Destination destination, EventLoop loop) {
        assert loop.inEventLoop();
        if (isOurs(destination)) {
            return direct.dial(destination, loop); // which refuses it
        }
        if (!control.isActive()) {
            return watched(direct.dial(destination, loop), loop, destination, null);
        }
        return byWhom(destination, loop, who -> judged(who, destination, loop));
    }

    @Override
    public Future<Optional<String>> refusal(Destination destination, EventLoop loop) {
        return refusal(destination, loop, false);
    }

    /** Names that the guest was told for the address are all there are; where it was told none, another may still come to light. */
    @Override
    public Future<Optional<String>> refusalByAnyName(Destination destination, EventLoop loop) {
        return refusal(destination, loop, true);
    }

    private Future<Optional<String>> refusal(Destination destination, EventLoop loop, boolean byAnyName) {
        assert loop.inEventLoop();
        if (!control.isActive() || isOurs(destination)) {
            return loop.newSucceededFuture(Optional.empty());
        }
        Future<DialResult> judgement = byWhom(destination, loop, who -> {
            Facts facts = facts(who, destination);
            int decision = control.decide(facts);
            boolean open = byAnyName && facts.names() == 0 && control.mayAllowAName(facts, decision);
            if (!open && decision != CompiledPolicy.UNDECIDED && control.isDenied(decision)) {
                control.count(decision, sourceLo(destination));
                return loop.newSucceededFuture(new DialResult.Denied(control.refusal(decision)));
            }
            return loop.newSucceededFuture(new DialResult.Refused()); // not by the policy
        });
        Promise<Optional<String>> result = loop.newPromise();
        judgement.addListener(_ -> result.trySuccess(
                judgement.isSuccess() && judgement.getNow() instanceof DialResult.Denied d
                        ? Optional.of(d.reason())
                        : Optional.empty()));
        return result;
    }

    @Override
    public Future<DialResult> dialBy(Destination destination, EventLoop loop, Supplier<Future<DialResult>> way) {
        assert loop.inEventLoop();
        if (!control.isActive()) {
            return watched(way.get(), loop, destination, null, true);
        }
        return byWhom(destination, loop, who -> {
            Facts facts = facts(who, destination);
            facts.elsewhere = !facts.hasAddress;
            int decision = control.decide(facts);
            control.count(decision, sourceLo(destination));
            if (control.isDenied(decision)) {
                return loop.newSucceededFuture(new DialResult.Denied(control.refusal(decision)));
            }
            Attempt attempt = facts.toAttempt(); // before others use the facts
            return watched(way.get(), loop, destination, attempt, true);
        });
    }

    /** {@code then} at once, or when the Engine has said who it is. */
    private Future<DialResult> byWhom(Destination destination, EventLoop loop, Function<Who, Future<DialResult>> then) {
        IpAddress source = destination.source();
        Who who = control.who(source);
        if (who != null || source == null) {
            return then.apply(who == null ? Who.GUEST : who);
        }
        Promise<DialResult> result = loop.newPromise();
        control.askEngine(source, found -> {
            if (!result.isDone()) {
                pass(then.apply(found), result, UnaryOperator.identity());
            }
        });
        return result;
    }

    /** {@code result} ends as {@code dial} does, or as {@code made} of it; and a cancelled one ends the dial. */
    private static void pass(Future<DialResult> dial, Promise<DialResult> result, UnaryOperator<DialResult> made) {
        dial.addListener(_ -> {
            DialResult ended =
                    dial.isSuccess() ? made.apply(dial.getNow()) : new DialResult.Failed("the dial was given up");
            if (!result.trySuccess(ended) && ended instanceof DialResult.Connected c) {
                c.channel().close();
            }
        });
        result.addListener(_ -> {
            if (result.isCancelled()) {
                dial.cancel(false);
            }
        });
    }

    /** Addresses of the guest's network other than the host's: nobody listens there. */
    private boolean isOurs(Destination d) {
        IpAddress address = d.address();
        return address != null && own.isInGuestNetwork(address) && !own.isHostAlias(address);
    }

    private Future<DialResult> judged(Who who, Destination d, EventLoop loop) {
        Facts facts = facts(who, d);
        int decision = control.decide(facts);
        if (decision == CompiledPolicy.UNDECIDED) {
            return watched(direct.dial(d, loop, address -> refusal(who, d, address)), loop, d, attempt(who, d));
        }
        control.count(decision, sourceLo(d));
        if (control.isDenied(decision)) {
            return loop.newSucceededFuture(new DialResult.Denied(control.refusal(decision)));
        }
        Attempt attempt = facts.toAttempt();
        return watched(direct.dial(d, loop), loop, d, attempt);
    }

    private Facts facts(Who who, Destination d) {
        IpAddress address = d.address();
        String name = d.name();
        boolean host = address != null ? own.isHostAlias(address) : name != null && own.isHostName(name);
        IpAddress seen = host && address == null ? control.plan().host() : address;
        Facts facts = seen != null
                ? control.facts(who, Protocol.TCP, seen.hi(), seen.lo(), d.port())
                : control.facts().begin(who, Protocol.TCP, d.port());
        facts.host = host;
        if (name != null && address == null) { // one that comes with an address is what somebody says of that
            facts.add(name.toLowerCase(Locale.ROOT), true);
        }
        return facts;
    }

    private static Attempt attempt(Who who, Destination d) {
        String name = d.name();
        return new Attempt(
                who,
                Protocol.TCP,
                d.address(),
                false,
                name == null ? java.util.List.of() : java.util.List.of(name.toLowerCase(Locale.ROOT)),
                java.util.List.of(),
                d.port());
    }

    /** Of one of the addresses of a name. */
    private @Nullable String refusal(Who who, Destination d, IpAddress address) {
        Facts facts = facts(who, d);
        control.lookedUp(facts, address);
        int decision = control.decide(facts);
        control.count(decision, sourceLo(d));
        return control.isDenied(decision) ? control.refusal(decision) : null;
    }

    private static long sourceLo(Destination d) {
        IpAddress source = d.source();
        return source == null ? 0 : source.lo();
    }

    private Future<DialResult> watched(
            Future<DialResult> dial, EventLoop loop, Destination d, @Nullable Attempt attempt) {
        return watched(dial, loop, d, attempt, false);
    }

    /**
     * A connection that stands is remembered, so that another policy can end it; one that came too late is denied.
     *
     * @param elsewhere the channel leads to somebody who goes on from there
     */
    private Future<DialResult> watched(
            Future<DialResult> dial, EventLoop loop, Destination d, @Nullable Attempt attempt, boolean elsewhere) {
        int epoch = control.epoch();
        Promise<DialResult> result = loop.newPromise();
        pass(dial, result, r -> r instanceof DialResult.Connected c ? connected(c, d, attempt, elsewhere, epoch) : r);
        return result;
    }

    private DialResult connected(
            DialResult.Connected connected, Destination d, @Nullable Attempt attempt, boolean elsewhere, int judgedIn) {
        String name = d.name();
        IpAddress address = d.address();
        boolean host = address != null ? own.isHostAlias(address) : name != null && own.isHostName(name);
        String lower = name == null ? null : name.toLowerCase(Locale.ROOT);
        Connections.Open open = new Connections.Open(attempt, d.source(), lower, address, host, elsewhere, d.port());
        Channel channel = connected.channel();
        String refusal =
                judgedIn == control.epoch() ? null : control.connections().refusal(channel, open);
        if (refusal != null) {
            ResetClose.close(channel);
            return new DialResult.Denied(refusal);
        }
        control.connections().add(channel, open);
        return connected;
    }
}
