package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** RFC 826, RFC 5227. */
class NetworkArpTest {
    private final TestNetwork net = new TestNetwork();
    private final GuestEnd guest = net.guest;

    @AfterEach
    void close() {
        net.close();
    }

    @Test
    void ourAddresses_arpRequest_areAnsweredWithOneMac() {
        for (IpAddress ours : new IpAddress[] {GuestEnd.GATEWAY, GuestEnd.DNS, GuestEnd.HOST}) {
            guest.sendArpRequest(ours);
            assertThat(guest.receiveArpReply(ours)).isEqualTo(GuestEnd.OUR_MAC);
        }
    }

    @Test
    void otherAddresses_arpRequest_areNotAnswered() {
        guest.sendArpRequest(IpAddress.parse("192.168.65.9"));
        guest.sendArpRequest(GuestEnd.GUEST);
        guest.receivesNothing();
    }

    @Test
    void probeForOurAddress_withoutSender_isDefended() {
        guest.address(IpAddress.parse("0.0.0.0")).sendArpRequest(GuestEnd.GATEWAY);
        assertThat(guest.receiveArpReply(GuestEnd.GATEWAY)).isEqualTo(GuestEnd.OUR_MAC);
    }

    @Test
    void linkUp_announcesAllOurAddresses() {
        net.link.setUp(false);
        net.link.setUp(true);
        for (IpAddress ours : new IpAddress[] {GuestEnd.GATEWAY, GuestEnd.DNS, GuestEnd.HOST}) {
            Received arp = guest.receive();
            assertThat(EthernetHeader.destination(arp.frame(), 0)).isEqualTo(EthernetHeader.BROADCAST);
            assertThat(ArpPacket.senderIp(arp.frame(), arp.ipAt())).isEqualTo(ours.v4Bits());
            assertThat(ArpPacket.targetIp(arp.frame(), arp.ipAt())).isEqualTo(ours.v4Bits());
        }
        while (guest.hasReceived()) {
            assertThat(guest.receive().isIpv6()).isTrue(); // NetworkNdpTest knows what these are
        }
    }

    @Test
    void guestWithAnotherMac_isAnsweredThere() {
        long mac = 0x0202_0304_0506L;
        guest.mac(mac).sendPing(GuestEnd.GATEWAY, 1, 1, new byte[8]);
        assertThat(EthernetHeader.destination(guest.receive().frame(), 0)).isEqualTo(mac);
    }

    @Test
    void guestThatClaimsOurMacOrAddress_isIgnored() {
        guest.mac(GuestEnd.OUR_MAC).sendArpRequest(GuestEnd.GATEWAY);
        guest.mac(GuestEnd.GUEST_MAC).address(GuestEnd.DNS).sendArpRequest(GuestEnd.GATEWAY);
        guest.receivesNothing();
        assertThat(net.dropped("layer=ethernet")).isEqualTo(2);
    }
}
