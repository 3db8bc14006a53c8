package dev.longshore.vpnkit;

import static dev.longshore.testkit.GuestEnd.ALL_NODES;
import static dev.longshore.testkit.GuestEnd.DNS6;
import static dev.longshore.testkit.GuestEnd.GATEWAY6;
import static dev.longshore.testkit.GuestEnd.GUEST6;
import static dev.longshore.testkit.GuestEnd.GUEST_LINK_LOCAL;
import static dev.longshore.testkit.GuestEnd.HOST6;
import static dev.longshore.testkit.GuestEnd.OUR_MAC;
import static dev.longshore.testkit.GuestEnd.ROUTER;
import static dev.longshore.testkit.GuestEnd.UNSPECIFIED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv6Extension;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.packet.wire.NdpMessage;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** RFC 4861, RFC 4862 §5.4, RFC 8106. */
class NetworkNdpTest {
    private static final IpAddress[] OURS = {ROUTER, GATEWAY6, DNS6, HOST6};

    private final TestNetwork net = new TestNetwork();
    private final GuestEnd guest = net.guest;

    @AfterEach
    void close() {
        net.close();
    }

    private static int option(Received ra, int type) {
        return NdpMessage.option(ra.frame(), ra.transportAt(), ra.transportLen(), type);
    }

    private Received receiveRouterAdvertisement() {
        Received ra = guest.receiveIcmp6(NdpMessage.ROUTER_ADVERTISEMENT, 0);
        assertThat(NdpMessage.isValid(ra.frame(), ra.transportAt(), ra.transportLen()))
                .isTrue();
        assertThat(Ipv6Header.hopLimit(ra.frame(), ra.ipAt())).isEqualTo(255);
        assertThat(ra.source()).isEqualTo(ROUTER);
        return ra;
    }

    private static int lifetime(Received ra) {
        return NdpMessage.routerLifetime(ra.frame(), ra.transportAt());
    }

    @Test
    void solicitationForOurAddresses_isAnsweredToTheAsker() {
        for (IpAddress source : new IpAddress[] {GUEST_LINK_LOCAL, GUEST6}) {
            for (IpAddress ours : OURS) {
                guest.sendNeighborSolicitation(source, ours);
                Received na = guest.receiveNeighborAdvertisement(ours);
                assertThat(na.source()).isEqualTo(ours);
                assertThat(na.destination()).isEqualTo(source);
                assertThat(na.destinationMac()).isEqualTo(GuestEnd.GUEST_MAC);
                assertThat(Ipv6Header.hopLimit(na.frame(), na.ipAt())).isEqualTo(255);
                assertThat(NdpMessage.flags(na.frame(), na.transportAt()))
                        .isEqualTo(NdpMessage.FLAG_ROUTER | NdpMessage.FLAG_SOLICITED | NdpMessage.FLAG_OVERRIDE);
                assertThat(NdpMessage.linkAddress(
                                na.frame(), na.transportAt(), na.transportLen(), NdpMessage.OPTION_TARGET_LINK))
                        .isEqualTo(OUR_MAC);
            }
        }
        guest.receivesNothing();
    }

    @Test
    void duplicateAddressDetection_ofTheGuestsOwn_isNotAnswered() {
        guest.sendNeighborSolicitation(UNSPECIFIED, GUEST6);
        guest.sendNeighborSolicitation(UNSPECIFIED, GUEST_LINK_LOCAL);
        guest.sendNeighborSolicitation(UNSPECIFIED, IpAddress.parse("fdc4:f303:9324::1234"));
        guest.receivesNothing();
    }

    @Test
    void duplicateAddressDetection_ofOurs_isToldToAll() {
        guest.sendNeighborSolicitation(UNSPECIFIED, HOST6);
        Received na = guest.receiveNeighborAdvertisement(HOST6);
        assertThat(na.destination()).isEqualTo(ALL_NODES);
        assertThat(na.destinationMac()).isEqualTo(EthernetHeader.multicastOf(1));
        assertThat(NdpMessage.flags(na.frame(), na.transportAt()) & NdpMessage.FLAG_SOLICITED)
                .isZero();
        guest.receivesNothing();
    }

    @Test
    void discoveryThatMustBeDiscarded_isCountedAndSilent() {
        ByteBuf hop = Unpooled.buffer();
        NdpMessage.writeSolicitation(hop, HOST6.hi(), HOST6.lo());
        guest.sendIcmp6(GUEST6, HOST6, 254, hop); // RFC 4861 §7.1.1: a router was in between
        ByteBuf group = Unpooled.buffer();
        NdpMessage.writeSolicitation(group, ALL_NODES.hi(), ALL_NODES.lo());
        guest.sendIcmp6(GUEST6, ALL_NODES, 255, group);
        ByteBuf anonymous = Unpooled.buffer();
        NdpMessage.writeSolicitation(anonymous, HOST6.hi(), HOST6.lo());
        NdpMessage.writeLinkAddress(anonymous, NdpMessage.OPTION_SOURCE_LINK, GuestEnd.GUEST_MAC);
        guest.sendIcmp6(UNSPECIFIED, GuestEnd.solicitedNode(HOST6), 255, anonymous);
        ByteBuf advertisement = Unpooled.buffer();
        NdpMessage.writeRouterAdvertisement(advertisement, 64, 0, 1800); // only we are a router here
        guest.sendIcmp6(GUEST_LINK_LOCAL, ALL_NODES, 255, advertisement);
        ByteBuf length = Unpooled.buffer();
        NdpMessage.writeSolicitation(length, HOST6.hi(), HOST6.lo());
        length.writeZero(8);
        guest.sendIcmp6(GUEST6, HOST6, 255, length);
        guest.receivesNothing();
        assertThat(net.dropped("reason=ndp")).isEqualTo(5);
    }

    @Test
    void discoveryInFragments_isDiscarded() { // RFC 6980
        ByteBuf b = Unpooled.buffer();
        Ipv6Extension.writeFragment(b, IpProtocol.ICMPV6, 0, false, 7);
        ByteBuf ns = Unpooled.buffer();
        NdpMessage.writeSolicitation(ns, HOST6.hi(), HOST6.lo());
        dev.longshore.packet.wire.Icmpv6Header.complete(
                ns, 0, ns.writerIndex(), GUEST6.hi(), GUEST6.lo(), HOST6.hi(), HOST6.lo());
        b.writeBytes(ns);
        guest.sendFrame(guest.ip(Ipv6Extension.FRAGMENT, GUEST6, HOST6, 255, b), 0);
        guest.receivesNothing();
        assertThat(net.dropped("reason=ndp")).isEqualTo(1);
    }

    @Test
    void advertisementOfOurAddresses_isNotBelieved() {
        guest.sendNeighborAdvertisement(GUEST6, ROUTER);
        ByteBuf b = Unpooled.buffer();
        NdpMessage.writeAdvertisement(b, NdpMessage.FLAG_OVERRIDE, HOST6.hi(), HOST6.lo());
        NdpMessage.writeLinkAddress(b, NdpMessage.OPTION_TARGET_LINK, 0x0266_6666_6666L);
        guest.sendIcmp6(GUEST_LINK_LOCAL, ALL_NODES, 255, b);
        assertThat(net.dropped("reason=bad_ndp")).isEqualTo(1);
        guest.sendNeighborSolicitation(GUEST6, HOST6);
        guest.receiveNeighborAdvertisement(HOST6);
    }

    @Test
    void routerSolicitation_isAnsweredWithAllThatAGuestNeeds() {
        guest.sendRouterSolicitation(GUEST_LINK_LOCAL);
        Received ra = receiveRouterAdvertisement();
        ByteBuf b = ra.frame();
        assertThat(ra.destination()).isEqualTo(GUEST_LINK_LOCAL);
        assertThat(lifetime(ra)).isEqualTo(1800);
        assertThat(NdpMessage.routerFlags(b, ra.transportAt()))
                .isEqualTo(NdpMessage.FLAG_MANAGED | NdpMessage.FLAG_OTHER);
        int prefix = option(ra, NdpMessage.OPTION_PREFIX);
        assertThat(b.getUnsignedByte(prefix + 2)).isEqualTo((short) 64);
        assertThat(b.getUnsignedByte(prefix + 3)).isEqualTo((short) 0xC0);
        assertThat(b.getLong(prefix + 16)).isEqualTo(GUEST6.hi());
        assertThat(b.getInt(option(ra, NdpMessage.OPTION_MTU) + 4)).isEqualTo(1500);
        int dns = option(ra, NdpMessage.OPTION_RDNSS);
        assertThat(new IpAddress(b.getLong(dns + 8), b.getLong(dns + 16))).isEqualTo(DNS6);
        assertThat(NdpMessage.linkAddress(b, ra.transportAt(), ra.transportLen(), NdpMessage.OPTION_SOURCE_LINK))
                .isEqualTo(OUR_MAC);
        assertThat(option(ra, NdpMessage.OPTION_DNSSL)).as("no search list").isNegative();
        guest.receivesNothing();
    }

    @Test
    void routerSolicitation_withoutAnAddress_isAnsweredToAll() {
        guest.sendRouterSolicitation(UNSPECIFIED);
        assertThat(receiveRouterAdvertisement().destination()).isEqualTo(ALL_NODES);
    }

    @Test
    void hostWithoutIpv6_isNoDefaultRouterButHasThePrefix() {
        net.hostHasIpv6 = false;
        guest.sendRouterSolicitation(GUEST_LINK_LOCAL);
        Received ra = receiveRouterAdvertisement();
        assertThat(lifetime(ra)).isZero();
        assertThat(option(ra, NdpMessage.OPTION_PREFIX)).isPositive();
    }

    @Test
    void hostThatLosesOrGetsIpv6_isToldWithinTenSeconds() {
        net.loop.advance(Duration.ofSeconds(30));
        guest.receivesNothing();
        net.hostHasIpv6 = false;
        net.loop.advance(Duration.ofSeconds(10));
        assertThat(lifetime(receiveRouterAdvertisement())).isZero();
        net.hostHasIpv6 = true;
        net.loop.advance(Duration.ofSeconds(10));
        assertThat(lifetime(receiveRouterAdvertisement())).isEqualTo(1800);
        guest.receivesNothing();
    }

    @Test
    void advertisements_areRepeatedEveryFiveMinutes() {
        net.loop.advance(Duration.ofSeconds(299));
        guest.receivesNothing();
        net.loop.advance(Duration.ofSeconds(2));
        assertThat(receiveRouterAdvertisement().destination()).isEqualTo(ALL_NODES);
        net.loop.advance(Duration.ofMinutes(5));
        receiveRouterAdvertisement();
        guest.receivesNothing();
    }

    /** kubevirt#16671: after a reconnect the guest must not keep what it knew of somebody else. */
    @Test
    void linkUp_announcesAllAddressesAndTheRouter() {
        net.link.setUp(false);
        net.loop.advance(Duration.ofSeconds(700));
        assertThat(guest.hasReceived()).isFalse();
        net.link.setUp(true);
        announcementsArrive();
    }

    private void announcementsArrive() {
        List<IpAddress> told = new ArrayList<>();
        boolean router = false;
        while (guest.hasReceived()) {
            Received r = guest.receive();
            if (r.isIcmp6(NdpMessage.NEIGHBOR_ADVERTISEMENT)) {
                told.add(r.source());
                assertThat(r.destination()).isEqualTo(ALL_NODES);
            }
            router |= r.isIcmp6(NdpMessage.ROUTER_ADVERTISEMENT);
        }
        assertThat(told).containsExactlyInAnyOrder(OURS);
        assertThat(router).isTrue();
    }

    @Test
    void linkUp_ofAGuestWithoutBuffers_announcesWhenThereAreSome() {
        net.link.setUp(false);
        net.link.limitRoom(0);
        net.link.setUp(true);
        assertThat(guest.hasReceived()).isFalse();
        net.link.makeRoom();
        announcementsArrive();
        guest.receivesNothing();
    }

    @Test
    void inventedSources_useNoMoreThanTheTable() {
        for (int i = 0; i < 5000; i++) {
            guest.sendNeighborSolicitation(new IpAddress(GUEST6.hi(), 0x10_0000L + i), HOST6);
        }
        assertThat(guest.receivedCount()).isEqualTo(5000);
        guest.clearReceived();
        guest.sendPing(HOST6, 1, 1, new byte[4]);
        guest.receiveIcmp6(dev.longshore.packet.wire.Icmpv6Header.ECHO_REPLY, 0);
    }
}
