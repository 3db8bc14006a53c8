package dev.longshore.vpnkit.gateway;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.NdpMessage;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ip.Families;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.Ipv6Output;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The only router of its link: RFC 4861 §6.2, RFC 8106. Confined to the link's event loop.
 *
 * <p>The prefix is always there, so that the host and our services are reached by IPv6. A default router we are only while
 * the host has a way to the IPv6 Internet: without, the guest has no route, its programs learn that at once
 * ({@code ENETUNREACH}) and take IPv4. A change is told within {@link #LOOK_SECONDS}.
 *
 * <p>In a networking mode without IPv6 the prefix and the name server are withdrawn: lifetimes of 0 (RFC 4861 §6.2.5), which
 * make addresses that the guest has deprecated, and new ones impossible (RFC 4862 §5.5.3).
 *
 * <p>Deviation: a solicitation is answered at once and to its sender, not after up to half a second to all (§6.2.6): there
 * is one router and one guest.
 */
final class RouterAdvertiser {
    private static final Logger LOG = LoggerFactory.getLogger(RouterAdvertiser.class);

    /** RFC 4861 §6.2.1: between MinRtrAdvInterval and MaxRtrAdvInterval. */
    static final int INTERVAL_SECONDS = 300;

    /** How often we look whether the host still has, or has got, a way out. */
    static final int LOOK_SECONDS = 10;

    /** RFC 4861 §6.2.1, AdvDefaultLifetime; RFC 8106 §5.1 for the name server. */
    static final int LIFETIME_SECONDS = 1800;

    private static final int HOP_LIMIT = 64;
    private static final IpAddress ALL_NODES = new IpAddress(0xFF02L << 48, 1);

    private final IpPlan plan;
    private final Families families;
    private final long ourMac;
    private final int mtu;
    private final BooleanSupplier hostHasIpv6;
    private final Supplier<List<String>> searchDomains;
    private final Ipv6Output output;
    private final Runnable flush;
    private final EventExecutor loop;
    private final Counters<GatewayCounter> counters;
    private @Nullable ScheduledFuture<?> timer;
    private boolean up;
    private boolean pending;
    private boolean defaultRouter;
    private int sinceLast;

    RouterAdvertiser(
            IpPlan plan,
            Families families,
            long ourMac,
            int mtu,
            BooleanSupplier hostHasIpv6,
            Supplier<List<String>> searchDomains,
            Ipv6Output output,
            Runnable flush,
            EventExecutor loop,
            Counters<GatewayCounter> counters) {
        this.plan = plan;
        this.families = families;
        this.ourMac = ourMac;
        this.mtu = mtu;
        this.hostHasIpv6 = hostHasIpv6;
        this.searchDomains = searchDomains;
        this.output = output;
        this.flush = flush;
        this.loop = loop;
        this.counters = counters;
    }

    /** A solicitation from this address, which may be ::. */
    void onSolicitation(long guestHi, long guestLo) {
        look();
        boolean anonymous = guestHi == 0 && guestLo == 0;
        if (!advertise(anonymous ? ALL_NODES.hi() : guestHi, anonymous ? ALL_NODES.lo() : guestLo)) {
            pending = true; // to all, when there is room
        }
    }

    void onLinkState(boolean isUp) {
        up = isUp;
        if (isUp) {
            look();
            advertiseToAll();
            arm();
        } else {
            cancel();
        }
    }

    /** Another networking mode: told at once, not at the next look. */
    void onFamiliesChanged() {
        look();
        if (up) {
            advertiseToAll();
            flush.run();
        }
    }

    boolean isDefaultRouter() {
        return defaultRouter;
    }

    /** A guest whose card had no buffers yet has some. */
    void onWritable() {
        if (pending && up) {
            advertiseToAll();
        }
    }

    private void arm() {
        cancel();
        timer = loop.schedule(this::onTimer, LOOK_SECONDS, TimeUnit.SECONDS);
    }

    private void onTimer() {
        boolean before = defaultRouter;
        look();
        sinceLast += LOOK_SECONDS;
        if (defaultRouter != before || sinceLast >= INTERVAL_SECONDS) {
            advertiseToAll();
            flush.run();
        }
        arm();
    }

    private void look() {
        boolean has = families.hasIpv6() && hostHasIpv6.getAsBoolean();
        if (has != defaultRouter) {
            LOG.info("there is {} way to the IPv6 Internet: the guest is told", has ? "a" : "no");
            defaultRouter = has;
        }
    }

    private void advertiseToAll() {
        sinceLast = 0;
        pending = !advertise(ALL_NODES.hi(), ALL_NODES.lo());
    }

    private boolean advertise(long toHi, long toLo) {
        IpAddress from = IpPlan.LINK_LOCAL;
        OutFrame out = output.begin(from.hi(), from.lo(), toHi, toLo, IpProtocol.ICMPV6, NdpMessage.HOP_LIMIT);
        ByteBuf head = out.head();
        int at = head.writerIndex();
        boolean on = families.hasIpv6();
        NdpMessage.writeRouterAdvertisement(
                head,
                HOP_LIMIT,
                on ? NdpMessage.FLAG_MANAGED | NdpMessage.FLAG_OTHER : 0,
                defaultRouter ? LIFETIME_SECONDS : 0);
        NdpMessage.writeLinkAddress(head, NdpMessage.OPTION_SOURCE_LINK, ourMac);
        NdpMessage.writeMtu(head, mtu);
        NdpMessage.writePrefix(
                head,
                NdpMessage.PREFIX_ON_LINK | NdpMessage.PREFIX_AUTONOMOUS,
                on ? NdpMessage.INFINITE : 0,
                on ? NdpMessage.INFINITE : 0,
                plan.ipv6Prefix());
        IpAddress dns = plan.dns6();
        NdpMessage.writeRdnss(head, on ? LIFETIME_SECONDS : 0, dns.hi(), dns.lo());
        NdpMessage.writeDnssl(head, on ? LIFETIME_SECONDS : 0, searchDomains.get());
        Icmpv6Header.complete(head, at, head.writerIndex() - at, from.hi(), from.lo(), toHi, toLo);
        boolean sent = output.end(out);
        out.clear();
        if (sent) {
            counters.increment(GatewayCounter.ROUTER_ADVERTISEMENTS);
        }
        return sent;
    }

    private void cancel() {
        ScheduledFuture<?> t = timer;
        if (t != null) {
            t.cancel(false);
            timer = null;
        }
    }

    /** Idempotent. */
    void close() {
        up = false;
        cancel();
    }
}
