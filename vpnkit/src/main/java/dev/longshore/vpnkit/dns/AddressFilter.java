package dev.longshore.vpnkit.dns;

import dev.longshore.config.DnsFilter;
import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.vpnkit.ip.Families;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/**
 * Which address records the guest does not get: the setting {@code dnsInhibition}, which may change at any time. Programs that
 * get addresses of a family they have no way for wait for nothing, or give up. Confined to the link's event loop.
 *
 * <p>{@code auto} leaves out the family that the networking mode does not have; and that for which the host has no way to the
 * Internet, if it has one for the other: a host without any may still have names of its own network.
 */
public final class AddressFilter {
    /** How long what the host has is believed. */
    static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final Families families;
    private final BooleanSupplier hostHasIpv4;
    private final BooleanSupplier hostHasIpv6;
    private final LongSupplier nanoClock;
    private DnsFilter filter = DnsFilter.AUTO;
    private boolean looked;
    private long lookedAt;
    private boolean ipv4;
    private boolean ipv6;

    /** The suppliers are asked on the loop, so they do not block. */
    public AddressFilter(
            Families families, BooleanSupplier hostHasIpv4, BooleanSupplier hostHasIpv6, LongSupplier nanoClock) {
        this.families = families;
        this.hostHasIpv4 = hostHasIpv4;
        this.hostHasIpv6 = hostHasIpv6;
        this.nanoClock = nanoClock;
    }

    /** From now on. */
    public void set(DnsFilter newFilter) {
        filter = newFilter;
    }

    /** The type of the addresses that are taken out of answers now, {@link DnsMessage#TYPE_A} or AAAA; 0 for none. */
    int leftOut() {
        return leavesOut(DnsMessage.TYPE_AAAA)
                ? DnsMessage.TYPE_AAAA
                : leavesOut(DnsMessage.TYPE_A) ? DnsMessage.TYPE_A : 0;
    }

    /** True if records of this type do not reach the guest. */
    boolean leavesOut(int type) {
        return switch (filter) {
            case AUTO -> isUseless(type);
            case IPV4 -> type == DnsMessage.TYPE_A;
            case IPV6 -> type == DnsMessage.TYPE_AAAA;
            case NONE -> false;
        };
    }

    /**
     * True if AAAA of our own names is left out. What the host has does not matter to them, and their IPv4 addresses are
     * always there: the guest's link has IPv4 in every mode, the Engine's proxy and containers without IPv6 need them.
     */
    boolean leavesOutOurIpv6() {
        return filter == DnsFilter.IPV6 || !families.hasIpv6();
    }

    private boolean isUseless(int type) {
        if (type == DnsMessage.TYPE_A) {
            look();
            return !families.hasIpv4() || (!ipv4 && ipv6);
        }
        if (type == DnsMessage.TYPE_AAAA) {
            look();
            return !families.hasIpv6() || (!ipv6 && ipv4);
        }
        return false;
    }

    private void look() {
        long now = nanoClock.getAsLong();
        if (!looked || now - lookedAt >= LOOK_NANOS) {
            looked = true;
            lookedAt = now;
            ipv4 = hostHasIpv4.getAsBoolean();
            ipv6 = hostHasIpv6.getAsBoolean();
        }
    }
}
