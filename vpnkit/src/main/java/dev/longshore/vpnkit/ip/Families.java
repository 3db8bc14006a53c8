package dev.longshore.vpnkit.ip;

import dev.longshore.config.NetworkingMode;
import dev.longshore.packet.wire.IpAddress;

/**
 * Which families the guest may reach the world by: the setting {@code defaultNetworkingMode}, which may change at any time.
 * Addresses of the link, ours and the guest's, are reached in both: that is how published ports, names and the host's
 * services get to a guest of either mode. Confined to the link's event loop.
 */
public final class Families {
    private final IpPlan plan;
    private NetworkingMode mode = NetworkingMode.DUAL_STACK;

    public Families(IpPlan plan) {
        this.plan = plan;
    }

    /** From now on, for what begins anew; flows of TCP that are open go on. */
    public void set(NetworkingMode newMode) {
        mode = newMode;
    }

    public boolean hasIpv4() {
        return mode != NetworkingMode.IPV6ONLY;
    }

    public boolean hasIpv6() {
        return mode != NetworkingMode.IPV4ONLY && plan.hasIpv6();
    }

    /** True if the guest may begin something with this address. */
    public boolean mayReach(long hi, long lo) {
        return plan.isOnLink(hi, lo) || (IpAddress.isV4(hi, lo) ? hasIpv4() : hasIpv6());
    }
}
