package dev.longshore.vpnkit.ip;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where a flow into the guest goes, and who seems to have called. */
class GuestAddressesTest {
    private static final IpPlan PLAN = IpPlan.standard();
    private static final IpAddress V4_CALLER = IpAddress.parse("198.51.100.20");
    private static final IpAddress V6_CALLER = IpAddress.parse("2001:db8::20");
    private static final IpAddress BY_PREFIX = IpAddress.parse("fdc4:f303:9324::4c:53ff:fe00:3");

    private boolean heard4 = true;
    private @Nullable IpAddress heard6 = PLAN.guest6();
    private boolean hasRoute = true;
    private final GuestAddresses addresses = new GuestAddresses(PLAN, () -> heard4, () -> heard6, () -> hasRoute);

    @Test
    void guestItself_isCalledInTheCallersFamily_thenInTheOther() {
        for (IpAddress guest : new IpAddress[] {PLAN.guest(), PLAN.guest6()}) {
            assertThat(addresses.first(guest, V4_CALLER)).isEqualTo(PLAN.guest());
            assertThat(addresses.second(guest, V4_CALLER)).isEqualTo(PLAN.guest6());
            assertThat(addresses.first(guest, V6_CALLER)).isEqualTo(PLAN.guest6());
            assertThat(addresses.second(guest, V6_CALLER)).isEqualTo(PLAN.guest());
        }
    }

    @Test
    void guestThatIsHeardInOneFamily_isCalledThereFirst() {
        heard6 = null;
        assertThat(addresses.first(PLAN.guest(), V6_CALLER)).isEqualTo(PLAN.guest());
        assertThat(addresses.second(PLAN.guest(), V6_CALLER)).isEqualTo(PLAN.guest6());
        heard4 = false;
        heard6 = BY_PREFIX;
        assertThat(addresses.first(PLAN.guest(), V4_CALLER)).isEqualTo(BY_PREFIX);
        assertThat(addresses.second(PLAN.guest(), V4_CALLER)).isEqualTo(PLAN.guest());
    }

    @Test
    void containersAddress_isTakenLiterally() {
        for (String container : new String[] {"172.17.0.2", "fd00:1::2", "192.168.65.9"}) {
            IpAddress address = IpAddress.parse(container);
            assertThat(addresses.first(address, V6_CALLER)).isEqualTo(address);
            assertThat(addresses.second(address, V6_CALLER)).isNull();
        }
    }

    @Test
    void networkWithoutIpv6_hasOneWay() {
        GuestAddresses v4 = GuestAddresses.ofPlan(PLAN.withoutIpv6());
        assertThat(v4.first(PLAN.guest(), V6_CALLER)).isEqualTo(PLAN.guest());
        assertThat(v4.second(PLAN.guest(), V6_CALLER)).isNull();
        assertThat(v4.gatewayFor(V6_CALLER)).isNull();
    }

    @ParameterizedTest
    @CsvSource({
        "198.51.100.20, 172.17.0.2, true",
        "198.51.100.20, 192.168.65.3, true",
        "192.168.1.10, 192.168.65.3, true", // another network, and the guest itself has only its own
        "192.168.1.10, 192.168.0.2, false", // perhaps in the container's network
        "172.17.5.5, 172.17.0.2, false",
        "192.168.65.1, 172.17.0.2, false",
        "127.0.0.1, 172.17.0.2, false",
        "0.0.0.0, 172.17.0.2, false",
        "224.0.0.1, 172.17.0.2, false",
        "255.255.255.255, 172.17.0.2, false",
        "169.254.7.7, 172.17.0.2, false",
        "2001:db8::20, 172.17.0.2, false",
        "2001:db8::20, fd00:1::2, true",
        "2001:db8::20, fdc4:f303:9324::3, true",
        "fd00:1::9, fd00:1::2, false",
        "fdc4:f303:9324::1, fd00:1::2, false",
        "fe80::1234, fd00:1::2, false",
        "::1, fd00:1::2, false",
        "::, fd00:1::2, false",
        "ff02::1, fd00:1::2, false",
        "198.51.100.20, fd00:1::2, false"
    })
    void caller_appearsIfTheGuestsAnswerComesBackToUs(String caller, String guest, boolean appears) {
        assertThat(addresses.mayAppear(IpAddress.parse(caller), IpAddress.parse(guest)))
                .isEqualTo(appears);
    }

    /** Without a default router the guest has no way back to a caller beyond the link. */
    @Test
    void ipv6Caller_ofAGuestWithoutARoute_isTheGateway() {
        hasRoute = false;
        assertThat(addresses.mayAppear(V6_CALLER, PLAN.guest6())).isFalse();
        assertThat(addresses.mayAppear(V4_CALLER, PLAN.guest())).isTrue();
        assertThat(addresses.gatewayFor(PLAN.guest6())).isEqualTo(PLAN.gateway6());
    }
}
