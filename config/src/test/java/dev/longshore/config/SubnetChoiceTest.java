package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SubnetChoiceTest {
    private static final Settings.Network DEFAULT = Settings.DEFAULTS.network();

    @Test
    void noOverlap_choose_keepsTheConfiguredSubnet() {
        SubnetChoice choice = SubnetChoice.choose(DEFAULT, routes("10.0.0.0/8", "192.168.64.0/24"));

        assertThat(choice.subnet()).hasToString("192.168.65.0/24");
        assertThat(choice.moved()).isFalse();
        assertThat(choice.overlap()).isEmpty();
    }

    @Test
    void overlap_choose_takesTheNextFreeSubnet() {
        SubnetChoice choice = SubnetChoice.choose(DEFAULT, routes("192.168.65.128/25", "192.168.66.0/23"));

        assertThat(choice.subnet()).hasToString("192.168.68.0/24");
        assertThat(choice.moved()).isTrue();
        assertThat(choice.overlap()).contains(Ipv4Subnet.parse("192.168.65.128/25"));
    }

    @Test
    void overlapAndMovingForbidden_choose_keepsTheSubnetAndTellsTheRoute() {
        Settings.Network fixed = new Settings.Network(
                DEFAULT.subnet(),
                false,
                1500,
                List.of(),
                List.of(),
                true,
                "",
                Ipv6Mode.AUTO,
                NetworkingMode.DUAL_STACK,
                DnsFilter.AUTO);

        SubnetChoice choice = SubnetChoice.choose(fixed, routes("192.168.0.0/16"));

        assertThat(choice.moved()).isFalse();
        assertThat(choice.overlap()).contains(Ipv4Subnet.parse("192.168.0.0/16"));
    }

    @Test
    void everythingTaken_choose_keepsTheConfiguredSubnet() {
        SubnetChoice choice = SubnetChoice.choose(DEFAULT, routes("192.168.0.0/16"));

        assertThat(choice.subnet()).isEqualTo(DEFAULT.subnet());
        assertThat(choice.moved()).isFalse();
    }

    @Test
    void routeTable_parse_leavesOutTheDefaultRouteAndWhatItDoesNotKnow() {
        String table = """
                Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
                eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
                eth0\t0000000A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
                tun0\t0041A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
                broken line
                """;

        assertThat(HostRoutes.parse(table))
                .containsExactly(Ipv4Subnet.parse("10.0.0.0/16"), Ipv4Subnet.parse("192.168.65.0/24"));
    }

    @Test
    void plan_inAnySubnet_hasItsPlaces() {
        AddressPlan plan = AddressPlan.in(Ipv4Subnet.parse("10.7.0.0/16"));

        assertThat(List.of(plan.gateway(), plan.guest(), plan.dns(), plan.host()))
                .extracting(a -> String.valueOf(a.getHostAddress()))
                .containsExactly("10.7.0.1", "10.7.0.3", "10.7.0.7", "10.7.0.254");
    }

    @Test
    void subnets_overlap_isSymmetricAndFollowsContainment() {
        List<Ipv4Subnet> nested = IntStream.rangeClosed(8, 32)
                .mapToObj(p -> new Ipv4Subnet(0xC0A84101 & (-1 << (32 - p)), p))
                .toList();
        for (Ipv4Subnet a : nested) {
            for (Ipv4Subnet b : nested) {
                assertThat(a.overlaps(b)).isTrue();
            }
        }
        assertThat(Ipv4Subnet.parse("10.0.0.0/9").overlaps(Ipv4Subnet.parse("10.128.0.0/9")))
                .isFalse();
        assertThat(Ipv4Subnet.parse("0.0.0.0/0").overlaps(Ipv4Subnet.parse("10.128.0.0/9")))
                .isTrue();
    }

    @Test
    void version_current_isWrittenByTheBuild() {
        assertThat(Version.current()).matches("[0-9]+\\.[0-9]+\\.[0-9]+.*");
    }

    private static List<Ipv4Subnet> routes(String... subnets) {
        return List.of(subnets).stream().map(Ipv4Subnet::parse).toList();
    }
}
