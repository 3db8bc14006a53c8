package dev.longshore.vpnkit;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.DhcpMessage;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** RFC 2131 §4.3. */
class NetworkDhcpTest {
    private static final long STRANGER = 0x0202_0304_0506L;
    private static final int GUEST_IP = GuestEnd.GUEST.v4Bits();
    private static final int GATEWAY_IP = GuestEnd.GATEWAY.v4Bits();

    @TempDir
    Path dir;

    private TestNetwork net = new TestNetwork();

    @AfterEach
    void close() {
        net.close();
    }

    /** What a station asks; 0 leaves an option out. */
    private record Ask(
            long mac,
            int type,
            int requested,
            int serverId,
            int clientIp,
            boolean broadcast,
            String clientId,
            int most) {
        Ask(long mac, int type, int requested, int serverId, int clientIp, boolean broadcast) {
            this(mac, type, requested, serverId, clientIp, broadcast, "", 0);
        }

        static Ask of(long mac, int type) {
            return new Ask(mac, type, 0, 0, 0, false);
        }

        Ask requesting(int address) {
            return new Ask(mac, type, address, serverId, clientIp, broadcast, clientId, most);
        }

        Ask of(int server) {
            return new Ask(mac, type, requested, server, clientIp, broadcast, clientId, most);
        }

        Ask by(String id) {
            return new Ask(mac, type, requested, serverId, clientIp, broadcast, id, most);
        }

        Ask taking(int bytes) {
            return new Ask(mac, type, requested, serverId, clientIp, broadcast, clientId, bytes);
        }
    }

    private void send(Ask ask) {
        ByteBuf m = Unpooled.buffer();
        DhcpMessage.write(m, DhcpMessage.BOOT_REQUEST, 0xCAFE, ask.broadcast, ask.clientIp, 0, 0, 0, ask.mac);
        DhcpMessage.writeByteOption(m, DhcpMessage.OPTION_MESSAGE_TYPE, ask.type);
        if (ask.requested != 0) {
            DhcpMessage.writeIntOption(m, DhcpMessage.OPTION_REQUESTED_ADDRESS, ask.requested);
        }
        if (ask.serverId != 0) {
            DhcpMessage.writeIntOption(m, DhcpMessage.OPTION_SERVER_ID, ask.serverId);
        }
        if (!ask.clientId.isEmpty()) {
            DhcpMessage.writeBytesOption(m, DhcpMessage.OPTION_CLIENT_ID, ask.clientId.getBytes(US_ASCII));
        }
        if (ask.most != 0) {
            DhcpMessage.writeShortOption(m, DhcpMessage.OPTION_MAX_MESSAGE, ask.most);
        }
        DhcpMessage.writeEnd(m, 0);
        ByteBuf udp = Unpooled.buffer();
        int length = UdpHeader.BYTES + m.readableBytes();
        UdpHeader.write(udp, DhcpMessage.CLIENT_PORT, DhcpMessage.SERVER_PORT, length);
        udp.writeBytes(m);
        IpAddress from = IpAddress.v4(ask.clientIp);
        IpAddress to = ask.clientIp == 0 ? IpAddress.v4(-1) : GuestEnd.GATEWAY;
        long pseudo = Checksum.pseudoHeader(0, from.lo(), 0, to.lo(), IpProtocol.UDP, length);
        UdpHeader.setChecksum(udp, 0, pseudo + Checksum.sum(udp, 0, length));
        net.guest.mac(ask.mac);
        net.guest.sendFrame(net.guest.ip(IpProtocol.UDP, from, to, 64, udp), 0);
    }

    private Received answer(int type) {
        Received r = net.guest.receive();
        int at = r.transportAt() + UdpHeader.BYTES;
        int len = r.transportLen() - UdpHeader.BYTES;
        assertThat(DhcpMessage.isValid(r.frame(), at, len)).isTrue();
        assertThat(DhcpMessage.xid(r.frame(), at)).isEqualTo(0xCAFE);
        assertThat(option(r, DhcpMessage.OPTION_SERVER_ID)).isEqualTo(GATEWAY_IP);
        assertThat(DhcpMessage.byteOption(r.frame(), at, len, DhcpMessage.OPTION_MESSAGE_TYPE, 0))
                .isEqualTo(type);
        return r;
    }

    private static int option(Received r, int code) {
        return DhcpMessage.intOption(
                r.frame(), r.transportAt() + UdpHeader.BYTES, r.transportLen() - UdpHeader.BYTES, code, -1);
    }

    private static int yourIp(Received r) {
        return DhcpMessage.yourIp(r.frame(), r.transportAt() + UdpHeader.BYTES);
    }

    /** kvm-guest-drivers-windows: an ACK with a partial checksum is dropped. The guest's end checks that it is complete. */
    @Test
    void discoverThenRequest_givesTheGuestItsAddressAndTheNetwork() {
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER));
        Received offer = answer(DhcpMessage.OFFER);
        assertThat(yourIp(offer)).isEqualTo(GUEST_IP);
        assertThat(EthernetHeader.destination(offer.frame(), 0)).isEqualTo(GuestEnd.GUEST_MAC);
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.REQUEST)
                .requesting(GUEST_IP)
                .of(GATEWAY_IP));
        Received ack = answer(DhcpMessage.ACK);
        assertThat(yourIp(ack)).isEqualTo(GUEST_IP);
        assertThat(option(ack, DhcpMessage.OPTION_SUBNET_MASK)).isEqualTo(0xFFFF_FF00);
        assertThat(option(ack, DhcpMessage.OPTION_ROUTER)).isEqualTo(GATEWAY_IP);
        assertThat(option(ack, DhcpMessage.OPTION_DNS)).isEqualTo(GuestEnd.DNS.v4Bits());
        assertThat(option(ack, DhcpMessage.OPTION_LEASE_SECONDS)).isGreaterThan(86_400);
        int mtuAt =
                DhcpMessage.option(ack.frame(), ack.transportAt() + 8, ack.transportLen() - 8, DhcpMessage.OPTION_MTU);
        assertThat(ack.frame().getUnsignedShort(mtuAt)).isEqualTo(1500);
    }

    @Test
    void broadcastFlag_isHonoured() {
        send(new Ask(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER, 0, 0, 0, true));
        Received offer = answer(DhcpMessage.OFFER);
        assertThat(EthernetHeader.destination(offer.frame(), 0)).isEqualTo(EthernetHeader.BROADCAST);
        assertThat(Ipv4Header.destination(offer.frame(), offer.ipAt())).isEqualTo(-1);
    }

    /** gvproxy: a guest that came back had another address. Leases stick to the card. */
    @Test
    void stranger_getsAnotherAddress_evenIfItCameFirstAndTheGuestCameLater() {
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER));
        answer(DhcpMessage.OFFER);
        send(Ask.of(STRANGER, DhcpMessage.DISCOVER));
        int other = yourIp(answer(DhcpMessage.OFFER));
        assertThat(other).isNotEqualTo(GUEST_IP).isNotEqualTo(GATEWAY_IP);
        assertThat(other & 0xFFFF_FF00).isEqualTo(GATEWAY_IP & 0xFFFF_FF00);
        send(Ask.of(STRANGER, DhcpMessage.RELEASE));
        send(Ask.of(STRANGER, DhcpMessage.DISCOVER));
        assertThat(yourIp(answer(DhcpMessage.OFFER))).isEqualTo(other);
    }

    @Test
    void guestWithRandomMac_stillGetsTheGuestsAddress_untilTheOwnerComes() {
        send(Ask.of(STRANGER, DhcpMessage.DISCOVER));
        assertThat(yourIp(answer(DhcpMessage.OFFER))).isEqualTo(GUEST_IP);
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER));
        assertThat(yourIp(answer(DhcpMessage.OFFER))).isEqualTo(GUEST_IP);
        send(new Ask(STRANGER, DhcpMessage.REQUEST, 0, 0, GUEST_IP, false));
        answer(DhcpMessage.NAK);
    }

    @Test
    void wrongAddress_isRefusedByBroadcast() {
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.REQUEST)
                .requesting(IpAddress.parse("10.0.0.9").v4Bits()));
        Received nak = answer(DhcpMessage.NAK);
        assertThat(EthernetHeader.destination(nak.frame(), 0)).isEqualTo(EthernetHeader.BROADCAST);
    }

    @Test
    void requestToAnotherServer_isLeftAlone() {
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.REQUEST)
                .requesting(GUEST_IP)
                .of(0x0A00_0001));
        net.guest.receivesNothing();
    }

    @Test
    void inform_isAnsweredWithoutALease() {
        send(new Ask(GuestEnd.GUEST_MAC, DhcpMessage.INFORM, 0, 0, GUEST_IP, false));
        Received ack = answer(DhcpMessage.ACK);
        assertThat(yourIp(ack)).isZero();
        assertThat(option(ack, DhcpMessage.OPTION_LEASE_SECONDS)).isEqualTo(-1);
        assertThat(ack.destination()).isEqualTo(GuestEnd.GUEST);
    }

    @Test
    void declinedAddress_isNotGivenAgain() {
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER));
        answer(DhcpMessage.OFFER);
        send(Ask.of(STRANGER, DhcpMessage.DISCOVER));
        int first = yourIp(answer(DhcpMessage.OFFER));
        send(Ask.of(STRANGER, DhcpMessage.DECLINE).requesting(first));
        send(Ask.of(STRANGER, DhcpMessage.DISCOVER));
        assertThat(yourIp(answer(DhcpMessage.OFFER))).isNotEqualTo(first);
    }

    @Test
    void answerWithoutRoom_isCounted() {
        net.link.limitRoom(0);
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER));
        assertThat(net.dropped("layer=dhcp,reason=no_room")).isEqualTo(1);
    }

    @Test
    void declineOfAnAddressThatOneHasNot_isDropped() {
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER));
        answer(DhcpMessage.OFFER);
        send(Ask.of(STRANGER, DhcpMessage.DECLINE).requesting(GuestEnd.GUEST.v4Bits()));
        send(Ask.of(STRANGER, DhcpMessage.DECLINE));
        assertThat(net.dropped("layer=dhcp,reason=bad")).isEqualTo(2);
        assertThat(net.count("vpnkit.dhcp.declined", "")).isZero();
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER));
        assertThat(yourIp(answer(DhcpMessage.OFFER))).isEqualTo(GuestEnd.GUEST.v4Bits());
    }

    @Test
    void moreStationsThanAddresses_theRestGetsNothing() {
        for (int i = 0; i < 500; i++) {
            send(Ask.of(0x0200_0000_0000L + i, DhcpMessage.DISCOVER));
        }
        assertThat(net.count("vpnkit.dhcp.leases", "")).isLessThan(90);
        assertThat(net.dropped("layer=dhcp,reason=exhausted")).isGreaterThan(300);
        net.guest.clearReceived();
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER));
        assertThat(yourIp(answer(DhcpMessage.OFFER))).isEqualTo(GUEST_IP);
    }

    // ---- options

    private void hostSearches(String domains) throws IOException {
        net.close();
        net = new TestNetwork(Files.writeString(dir.resolve("resolv.conf"), "search " + domains + "\n"));
    }

    /** The option's bytes; empty without it. */
    private static byte[] bytes(Received r, int code) {
        int at = r.transportAt() + UdpHeader.BYTES;
        int value = DhcpMessage.option(r.frame(), at, r.transportLen() - UdpHeader.BYTES, code);
        return value < 0
                ? new byte[0]
                : ByteBufUtil.getBytes(r.frame(), value, r.frame().getUnsignedByte(value - 1));
    }

    private static List<String> search(Received r) {
        ByteBuf b = Unpooled.wrappedBuffer(bytes(r, DhcpMessage.OPTION_DOMAIN_SEARCH));
        List<String> found = new ArrayList<>();
        while (b.isReadable()) {
            StringJoiner name = new StringJoiner(".");
            for (int label = b.readUnsignedByte(); label != 0; label = b.readUnsignedByte()) {
                name.add(b.readCharSequence(label, US_ASCII));
            }
            found.add(name.toString());
        }
        return found;
    }

    /** RFC 2132 §9, RFC 2131 §4.4.5: half of the lease, and seven eighths of it. */
    @Test
    void times_areThoseClientsExpect_inOfferAndAck() {
        for (int type : new int[] {DhcpMessage.DISCOVER, DhcpMessage.REQUEST}) {
            send(Ask.of(GuestEnd.GUEST_MAC, type).requesting(GUEST_IP));
            Received r = answer(type == DhcpMessage.DISCOVER ? DhcpMessage.OFFER : DhcpMessage.ACK);
            int lease = option(r, DhcpMessage.OPTION_LEASE_SECONDS);
            assertThat(lease).isEqualTo(7 * 86_400);
            assertThat(option(r, DhcpMessage.OPTION_RENEWAL_SECONDS)).isEqualTo(lease / 2);
            assertThat(option(r, DhcpMessage.OPTION_REBINDING_SECONDS)).isEqualTo(lease / 8 * 7);
            assertThat(option(r, DhcpMessage.OPTION_BROADCAST)).isEqualTo(GUEST_IP | 0xFF);
            assertThat(bytes(r, DhcpMessage.OPTION_CLASSLESS_ROUTES))
                    .as("a client would ignore the router beside it: RFC 3442")
                    .isEmpty();
            assertThat(bytes(r, DhcpMessage.OPTION_DOMAIN_NAME)).isEmpty();
            assertThat(bytes(r, DhcpMessage.OPTION_DOMAIN_SEARCH)).isEmpty();
        }
    }

    @Test
    void renewal_isAnsweredToTheClientsAddress_withTheNewLease() {
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER));
        answer(DhcpMessage.OFFER);
        send(new Ask(GuestEnd.GUEST_MAC, DhcpMessage.REQUEST, 0, 0, GUEST_IP, false));
        Received ack = answer(DhcpMessage.ACK);
        assertThat(ack.destination()).isEqualTo(GuestEnd.GUEST);
        assertThat(DhcpMessage.clientIp(ack.frame(), ack.transportAt() + UdpHeader.BYTES))
                .isEqualTo(GUEST_IP);
        assertThat(yourIp(ack)).isEqualTo(GUEST_IP);
    }

    /** RFC 6842 §3. */
    @Test
    void clientIdentifier_comesBackInEveryAnswer() {
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER).by("it's me"));
        assertThat(bytes(answer(DhcpMessage.OFFER), DhcpMessage.OPTION_CLIENT_ID))
                .asString(US_ASCII)
                .isEqualTo("it's me");
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.REQUEST).requesting(7).by("it's me"));
        assertThat(bytes(answer(DhcpMessage.NAK), DhcpMessage.OPTION_CLIENT_ID))
                .asString(US_ASCII)
                .isEqualTo("it's me");
    }

    /** RFC 3397. */
    @Test
    void hostsSearchList_isTheGuests() throws IOException {
        hostSearches("corp.example lab.corp.example. x");
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER));
        Received offer = answer(DhcpMessage.OFFER);
        assertThat(search(offer)).containsExactly("corp.example", "lab.corp.example", "x");
        assertThat(bytes(offer, DhcpMessage.OPTION_DOMAIN_NAME))
                .asString(US_ASCII)
                .isEqualTo("corp.example");
        send(new Ask(GuestEnd.GUEST_MAC, DhcpMessage.INFORM, 0, 0, GUEST_IP, false));
        assertThat(search(answer(DhcpMessage.ACK))).hasSize(3);
    }

    /** Lesson 6: a list over 255 bytes must not cost the guest its lease. */
    @ParameterizedTest
    @ValueSource(ints = {0, 100, 576, 1000, 1500, 65_535})
    void longSearchList_isCut_soThatEveryClientTakesTheAnswer(int most) throws IOException {
        String domain = "a-rather-long-name-of-a-company.with-departments";
        hostSearches(domain + " b." + domain + " c." + domain + " d." + domain + " e." + domain + " f.e");
        send(Ask.of(GuestEnd.GUEST_MAC, DhcpMessage.DISCOVER)
                .by("x".repeat(100))
                .taking(most));
        Received offer = answer(DhcpMessage.OFFER);
        assertThat(offer.frame().writerIndex() - offer.ipAt()).isLessThanOrEqualTo(Math.max(576, Math.min(1500, most)));
        assertThat(bytes(offer, DhcpMessage.OPTION_DOMAIN_SEARCH)).hasSizeLessThanOrEqualTo(255);
        List<String> found = search(offer);
        assertThat(found)
                .isEqualTo(List.of(domain, "b." + domain, "c." + domain, "d." + domain, "e." + domain)
                        .subList(0, found.size()));
        assertThat(found.size()).isEqualTo(most >= 1000 ? 4 : 1);
        assertThat(yourIp(offer)).isEqualTo(GUEST_IP);
    }
}
