package dev.longshore.proxy.intercept;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.RouteDecision;
import dev.longshore.proxy.route.RouteQuery;
import dev.longshore.proxy.route.Router;
import dev.longshore.vpnkit.hostsocket.EgressGate;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.util.List;
import java.util.function.Function;

/**
 * Keeps HTTP/3 from going around the proxy: UDP to port 443 of a remote whose TCP connections go through one is refused, so that
 * clients fall back to TCP at once. All else is for the policy behind it. Confined to the link's event loop.
 *
 * <p>A route that is not known yet costs the datagram; QUIC sends its first again after some 100 ms, and a script's answers are kept.
 */
public final class QuicGate implements EgressGate {
    private static final int QUIC_PORT = 443;

    private final EgressGate policy;
    private final Router router;
    private final Function<IpAddress, List<String>> told;
    private final EventLoop loop;
    private boolean taken; // whether TCP to that port is

    /** @param told the names that the guest was told for an address, in small letters */
    public QuicGate(EgressGate policy, Router router, Function<IpAddress, List<String>> told, EventLoop loop) {
        this.policy = policy;
        this.router = router;
        this.told = told;
        this.loop = loop;
    }

    /** The ports whose TCP connections are taken from now on. */
    public void setPorts(TransparentPorts ports) {
        taken = ports.contains(QUIC_PORT);
    }

    private boolean isClosed() {
        return taken && !router.isOpen();
    }

    @Override
    public boolean isActive() {
        return isClosed() || policy.isActive();
    }

    @Override
    public int epoch() {
        return 31 * policy.epoch() + 2 * router.generation() + (taken ? 1 : 0);
    }

    @Override
    public Verdict judge(
            int protocol,
            long guestHi,
            long guestLo,
            long remoteHi,
            long remoteLo,
            int remotePort,
            boolean again,
            boolean admitted) {
        if (protocol == IpProtocol.UDP && remotePort == QUIC_PORT && isClosed()) {
            Verdict verdict = byRoutes(new IpAddress(remoteHi, remoteLo));
            if (verdict != Verdict.ADMIT) {
                return verdict;
            }
        }
        return policy.isActive()
                ? policy.judge(protocol, guestHi, guestLo, remoteHi, remoteLo, remotePort, again, admitted)
                : Verdict.ADMIT;
    }

    private Verdict byRoutes(IpAddress remote) {
        List<String> names = told.apply(remote);
        List<String> hosts = names.isEmpty() ? List.of(remote.toString()) : names;
        Verdict verdict = Verdict.ADMIT;
        for (String host : hosts) {
            Future<RouteDecision> route = router.route(new RouteQuery(false, host, QUIC_PORT, remote), loop);
            if (!route.isDone()) {
                verdict = Verdict.LATER;
            } else if (!route.isSuccess() || !(route.getNow().hops().getFirst() instanceof Hop.Direct)) {
                return Verdict.DENY;
            }
        }
        return verdict;
    }
}
