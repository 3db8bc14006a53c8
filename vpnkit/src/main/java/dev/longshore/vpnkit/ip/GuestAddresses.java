package dev.longshore.vpnkit.ip;

import dev.longshore.packet.wire.IpAddress;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Where a flow into the guest goes, and from whom it seems to come. Confined to the link's event loop.
 *
 * <p>The guest itself has an address of each family, and a program in it may listen in one of them only. So a call to either
 * is a call to both, as {@link IpPlan#host} and {@link IpPlan#host6} both mean the host's two loopbacks. Containers' addresses
 * are taken literally.
 */
public final class GuestAddresses {
    private final IpPlan plan;
    private final BooleanSupplier isHeardByIpv4;
    private final Supplier<@Nullable IpAddress> heardIpv6;
    private final BooleanSupplier hasIpv6Route;

    /**
     * @param isHeardByIpv4 whether a station has the plan's guest address
     * @param heardIpv6 the guest's own address by our prefix, if a station has shown it
     * @param hasIpv6Route whether the guest was told that we are its default router
     */
    public GuestAddresses(
            IpPlan plan,
            BooleanSupplier isHeardByIpv4,
            Supplier<@Nullable IpAddress> heardIpv6,
            BooleanSupplier hasIpv6Route) {
        this.plan = plan;
        this.isHeardByIpv4 = isHeardByIpv4;
        this.heardIpv6 = heardIpv6;
        this.hasIpv6Route = hasIpv6Route;
    }

    /** A guest that is where the plan says, if it has been heard or not. For tests of what is above. */
    public static GuestAddresses ofPlan(IpPlan plan) {
        return new GuestAddresses(plan, () -> true, () -> plan.hasIpv6() ? plan.guest6() : null, plan::hasIpv6);
    }

    /** The address to call first: {@code guest}, or the guest's own of the caller's family, if it has been heard there. */
    public IpAddress first(IpAddress guest, IpAddress caller) {
        if (!isGuestItself(guest) || !plan.hasIpv6()) {
            return guest;
        }
        return isIpv6First(caller) ? guest6() : plan.guest();
    }

    /** The address to call if the first one refuses, null if there is none. */
    public @Nullable IpAddress second(IpAddress guest, IpAddress caller) {
        if (!isGuestItself(guest) || !plan.hasIpv6()) {
            return null;
        }
        return isIpv6First(caller) ? plan.guest() : guest6();
    }

    private boolean isGuestItself(IpAddress address) {
        return address.equals(plan.guest()) || (plan.hasIpv6() && address.equals(plan.guest6()));
    }

    private boolean isIpv6First(IpAddress caller) {
        boolean heard6 = heardIpv6.get() != null;
        boolean heard4 = isHeardByIpv4.getAsBoolean();
        return heard6 == heard4 ? !caller.isV4() : heard6;
    }

    private IpAddress guest6() {
        IpAddress heard = heardIpv6.get();
        return heard == null ? plan.guest6() : heard;
    }

    /** Who calls where the caller itself can't appear; null for a family this network has not. */
    public @Nullable IpAddress gatewayFor(IpAddress guest) {
        if (guest.isV4()) {
            return plan.gateway();
        }
        return plan.hasIpv6() ? plan.gateway6() : null;
    }

    /** True if the guest's answer to {@code caller} comes to us, and goes neither to itself nor to nobody. */
    public boolean mayAppear(IpAddress caller, IpAddress guest) {
        if (caller.isV4() != guest.isV4() || plan.isOnLink(caller.hi(), caller.lo())) {
            return false;
        }
        boolean itself = guest.isV4() ? guest.equals(plan.guest()) : plan.isInPrefix(guest.hi());
        return caller.isV4()
                ? mayAppear4(caller.v4Bits(), guest.v4Bits(), itself)
                : mayAppear6(caller.hi(), caller.lo(), guest.hi(), itself);
    }

    private static boolean mayAppear4(int caller, int guest, boolean itself) {
        int first = caller >>> 24;
        boolean unicast = first != 0 && first != 127 && first < 0xE0 && caller >>> 16 != 0xA9FE;
        boolean besideTheContainer =
                !itself && caller >>> 16 == guest >>> 16; // a network of Docker's has at most a /16
        return unicast && !besideTheContainer;
    }

    private boolean mayAppear6(long callerHi, long callerLo, long guestHi, boolean itself) {
        boolean special = callerHi == 0 && (callerLo & ~1L) == 0; // :: and ::1
        boolean besideTheContainer = !itself && callerHi == guestHi;
        return !special && !IpAddress.isMulticast(callerHi) && !besideTheContainer && hasIpv6Route.getAsBoolean();
    }
}
