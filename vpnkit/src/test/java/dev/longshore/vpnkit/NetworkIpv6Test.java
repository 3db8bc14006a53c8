package dev.longshore.vpnkit;

import static dev.longshore.testkit.GuestEnd.ALL_NODES;
import static dev.longshore.testkit.GuestEnd.DNS6;
import static dev.longshore.testkit.GuestEnd.GATEWAY6;
import static dev.longshore.testkit.GuestEnd.GUEST6;
import static dev.longshore.testkit.GuestEnd.GUEST_LINK_LOCAL;
import static dev.longshore.testkit.GuestEnd.HOST6;
import static dev.longshore.testkit.GuestEnd.ROUTER;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv6Extension;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** RFC 8200, RFC 4443, RFC 4007. */
class NetworkIpv6Test {
    private static final IpAddress ELSEWHERE = IpAddress.parse("2001:db8::1");
    private static final int SCTP = 132;

    private final TestNetwork net = new TestNetwork();
    private final GuestEnd guest = net.guest;

    @AfterEach
    void close() {
        net.close();
        assertThat(net.dropped("fault")).isZero();
    }

    /** An echo request with a right checksum. */
    private static ByteBuf echo(IpAddress from, IpAddress to, int dataBytes) {
        ByteBuf b = Unpooled.buffer();
        Icmpv6Header.write(b, Icmpv6Header.ECHO_REQUEST, 0, 0x0007_0009);
        for (int i = 0; i < dataBytes; i++) {
            b.writeByte(i);
        }
        Icmpv6Header.complete(b, 0, b.writerIndex(), from.hi(), from.lo(), to.hi(), to.lo());
        return b;
    }

    /** A header of options, or of routing, before {@code rest}. */
    private static ByteBuf before(ByteBuf rest, int next, int... bytes) {
        ByteBuf b = Unpooled.buffer().writeByte(next).writeByte((bytes.length + 2) / 8 - 1);
        for (int value : bytes) {
            b.writeByte(value);
        }
        b.writeBytes(rest);
        rest.release();
        return b;
    }

    private void send(int next, ByteBuf payload) {
        guest.sendFrame(guest.ip(next, GUEST6, GATEWAY6, 64, payload), 0);
    }

    private void receivesEcho() {
        assertThat(guest.receiveIcmp6(Icmpv6Header.ECHO_REPLY, 0).source()).isEqualTo(GATEWAY6);
        guest.receivesNothing();
    }

    private void receivesProblem(int code, int pointer) {
        Received error = guest.receiveIcmp6(Icmpv6Header.PARAMETER_PROBLEM, code);
        assertThat(Icmpv6Header.pointer(error.frame(), error.transportAt())).isEqualTo(pointer);
        guest.receivesNothing();
    }

    @Test
    void pingToOurAddresses_isAnsweredWithItsData() {
        byte[] data = {1, 2, 3, 4, 5, 6, 7};
        for (IpAddress ours : new IpAddress[] {GATEWAY6, DNS6, HOST6, ROUTER}) {
            guest.sendPing(ours, 77, 5, data);
            Received reply = guest.receiveIcmp6(Icmpv6Header.ECHO_REPLY, 0);
            assertThat(reply.source()).isEqualTo(ours);
            assertThat(reply.destination()).isEqualTo(GUEST6);
            assertThat(Icmpv6Header.identifier(reply.frame(), reply.transportAt()))
                    .isEqualTo(77);
            assertThat(reply.bytesFrom(reply.transportAt() + 8)).isEqualTo(data);
        }
        guest.receivesNothing();
    }

    @Test
    void pingFromLinkLocal_toOurs_isAnswered_alsoToAllNodes() {
        guest.address(GUEST_LINK_LOCAL);
        guest.sendPing(HOST6, 1, 1, new byte[3]);
        assertThat(guest.receiveIcmp6(Icmpv6Header.ECHO_REPLY, 0).source()).isEqualTo(HOST6);
        guest.sendPing(ALL_NODES, 1, 2, new byte[3]);
        Received reply = guest.receiveIcmp6(Icmpv6Header.ECHO_REPLY, 0);
        assertThat(reply.source()).isEqualTo(ROUTER);
        assertThat(reply.destination()).isEqualTo(GUEST_LINK_LOCAL);
    }

    @Test
    void largePing_inFragments_isAnsweredInFragments() {
        guest.sendFragments(IpProtocol.ICMPV6, GATEWAY6, echo(GUEST6, GATEWAY6, 4000), 1500);
        ByteBuf whole = Unpooled.buffer();
        for (int i = 0; i < 3; i++) {
            Received piece = guest.receive();
            assertThat(piece.isFragment()).isTrue();
            assertThat(piece.fragmentOffset()).isEqualTo(whole.writerIndex());
            assertThat(piece.moreFragments()).isEqualTo(i < 2);
            assertThat(piece.frame().readableBytes()).isLessThanOrEqualTo(1514);
            whole.writeBytes(piece.bytesFrom(piece.transportAt()));
        }
        assertThat(whole.writerIndex()).isEqualTo(4008);
        assertThat(Icmpv6Header.isChecksumRight(whole, 0, 4008, GATEWAY6.hi(), GATEWAY6.lo(), GUEST6.hi(), GUEST6.lo()))
                .isTrue();
        guest.receivesNothing();
    }

    @Test
    void fragments_inAnyOrderAndTwice_areOnePacket() {
        ByteBuf[] pieces = guest.fragments(IpProtocol.ICMPV6, GATEWAY6, echo(GUEST6, GATEWAY6, 3000), 1280);
        for (int i = pieces.length - 1; i >= 0; i--) {
            guest.sendFrame(pieces[i].copy(), 0);
            if (i > 0) {
                guest.sendFrame(pieces[i].copy(), 0);
            }
        }
        Arrays.stream(pieces).forEach(ByteBuf::release);
        assertThat(guest.receivedCount()).isEqualTo(3);
    }

    @Test
    void overlappingFragments_spoilThePacket() { // RFC 5722, RFC 8200 §4.5
        ByteBuf echo = echo(GUEST6, GATEWAY6, 100);
        guest.sendFrame(guest.fragment6(IpProtocol.ICMPV6, GATEWAY6, 5, 0, true, echo.copy(0, 64)), 0);
        guest.sendFrame(
                guest.fragment6(
                        IpProtocol.ICMPV6,
                        GATEWAY6,
                        5,
                        56,
                        false,
                        Unpooled.buffer().writeZero(52)),
                0);
        guest.receivesNothing();
        assertThat(net.dropped("reason=fragment")).isEqualTo(1);
        guest.sendFrame(guest.fragment6(IpProtocol.ICMPV6, GATEWAY6, 5, 64, false, echo.copy(64, 44)), 0);
        guest.receivesNothing();
        echo.release();
    }

    @Test
    void atomicFragment_isAWholePacket_besideOthersWithItsId() { // RFC 6946
        guest.sendFrame(
                guest.fragment6(
                        IpProtocol.ICMPV6,
                        GATEWAY6,
                        5,
                        8,
                        true,
                        Unpooled.buffer().writeZero(16)),
                0);
        guest.sendFrame(guest.fragment6(IpProtocol.ICMPV6, GATEWAY6, 5, 0, false, echo(GUEST6, GATEWAY6, 10)), 0);
        receivesEcho();
    }

    @Test
    void firstFragment_withoutTheTransportsHeader_isRefused() { // RFC 7112
        guest.sendFrame(
                guest.fragment6(
                        IpProtocol.TCP, GATEWAY6, 5, 0, true, Unpooled.buffer().writeZero(16)),
                0);
        receivesProblem(3, 6);
    }

    @Test
    void fragment_ofOddLength_orBeyondTheLargestPacket_isRefused() {
        guest.sendFrame(guest.fragment6(IpProtocol.ICMPV6, GATEWAY6, 5, 0, true, echo(GUEST6, GATEWAY6, 9)), 0);
        receivesProblem(Icmpv6Header.CODE_HEADER_FIELD, 4);
        guest.sendFrame(
                guest.fragment6(
                        IpProtocol.ICMPV6,
                        GATEWAY6,
                        6,
                        65_528,
                        true,
                        Unpooled.buffer().writeZero(8)),
                0);
        guest.receivesNothing(); // an error about a later fragment is not sent
        assertThat(net.dropped("reason=extension")).isEqualTo(2);
    }

    @Test
    void fragmentInAFragment_isDropped() {
        ByteBuf inner = Unpooled.buffer();
        Ipv6Extension.writeFragment(inner, IpProtocol.ICMPV6, 0, false, 9);
        inner.writeBytes(echo(GUEST6, GATEWAY6, 8));
        guest.sendFrame(guest.fragment6(Ipv6Extension.FRAGMENT, GATEWAY6, 5, 0, false, inner), 0);
        guest.receivesNothing();
        assertThat(net.dropped("reason=fragment")).isEqualTo(1);
    }

    @Test
    void unfinishedPacket_endsAfterAMinute_andIsToldIfItsStartIsThere() {
        ByteBuf echo = echo(GUEST6, GATEWAY6, 100);
        guest.sendFrame(guest.fragment6(IpProtocol.ICMPV6, GATEWAY6, 5, 0, true, echo.copy(0, 64)), 0);
        guest.sendFrame(guest.fragment6(IpProtocol.ICMPV6, HOST6, 6, 64, true, echo.copy(0, 64)), 0);
        echo.release();
        net.loop.advance(Duration.ofSeconds(59));
        guest.receivesNothing();
        net.loop.advance(Duration.ofSeconds(2));
        Received error = guest.receiveIcmp6(Icmpv6Header.TIME_EXCEEDED, Icmpv6Header.CODE_REASSEMBLY);
        assertThat(error.source()).isEqualTo(GATEWAY6);
        guest.receivesNothing();
        assertThat(net.dropped("reason=fragment_timeout")).isEqualTo(2);
    }

    @Test
    void headersThatMayBeSkipped_areSkipped() {
        ByteBuf chain = echo(GUEST6, GATEWAY6, 8);
        chain = before(chain, IpProtocol.ICMPV6, 1, 4, 0, 0, 0, 0);
        chain = before(chain, Ipv6Extension.DESTINATION_OPTIONS, 0, 0, 0, 0, 0, 0); // routing, no segments left
        chain = before(chain, Ipv6Extension.ROUTING, 5, 2, 0, 0, 1, 0);
        send(Ipv6Extension.HOP_BY_HOP, chain);
        receivesEcho();
    }

    @Test
    void routingHeader_withSegmentsLeft_isRefused() { // RFC 5095
        send(Ipv6Extension.ROUTING, before(echo(GUEST6, GATEWAY6, 8), IpProtocol.ICMPV6, 0, 1, 0, 0, 0, 0));
        receivesProblem(Icmpv6Header.CODE_HEADER_FIELD, 42);
    }

    @Test
    void hopByHop_thatIsNotTheFirst_isRefused() {
        ByteBuf inner = before(echo(GUEST6, GATEWAY6, 8), IpProtocol.ICMPV6, 1, 4, 0, 0, 0, 0);
        send(Ipv6Extension.DESTINATION_OPTIONS, before(inner, Ipv6Extension.HOP_BY_HOP, 1, 4, 0, 0, 0, 0));
        receivesProblem(Icmpv6Header.CODE_NEXT_HEADER, 40);
    }

    @Test
    void unknownOption_isTreatedByItsTwoHighestBits() {
        int[] kinds = {0x1E, 0x5E, 0x9E, 0xDE};
        for (int kind : kinds) {
            send(
                    Ipv6Extension.DESTINATION_OPTIONS,
                    before(echo(GUEST6, GATEWAY6, 8), IpProtocol.ICMPV6, kind, 4, 0, 0, 0, 0));
            switch (kind >>> 6) {
                case 0 -> receivesEcho();
                case 1 -> guest.receivesNothing();
                default -> receivesProblem(Icmpv6Header.CODE_OPTION, 42);
            }
        }
    }

    @Test
    void chainWithoutEnd_isDropped() {
        ByteBuf chain = echo(GUEST6, GATEWAY6, 8);
        for (int i = 0; i < 9; i++) {
            chain = before(chain, i == 0 ? IpProtocol.ICMPV6 : Ipv6Extension.DESTINATION_OPTIONS, 1, 4, 0, 0, 0, 0);
        }
        send(Ipv6Extension.DESTINATION_OPTIONS, chain);
        guest.receivesNothing();
        assertThat(net.dropped("reason=extension")).isEqualTo(1);
    }

    @Test
    void headerThatEndsBeyondThePacket_isDropped() {
        send(
                Ipv6Extension.DESTINATION_OPTIONS,
                Unpooled.buffer().writeByte(58).writeByte(9).writeZero(6));
        guest.receivesNothing();
        assertThat(net.dropped("reason=extension")).isEqualTo(1);
    }

    @Test
    void noNextHeader_isSilent() {
        send(Ipv6Extension.NO_NEXT_HEADER, Unpooled.buffer().writeZero(8));
        guest.receivesNothing();
    }

    @Test
    void unknownProtocol_isAParameterProblem() {
        guest.sendFrame(guest.ip(SCTP, GUEST6, ELSEWHERE, 64, Unpooled.buffer().writeZero(12)), 0);
        receivesProblem(Icmpv6Header.CODE_NEXT_HEADER, 6);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "::1",
                "::ffff:192.168.65.3",
                "::10.0.0.1",
                "ff02::1",
                "fdc4:f303:9324::254",
                "fdc4:f303:9324::1",
                "fe80::1",
                "::"
            })
    void sourcesNoPacketMayComeFrom_areDropped(String source) {
        IpAddress from = mappedOr(source);
        guest.sendFrame(guest.ip(IpProtocol.ICMPV6, from, DNS6, 64, echo(from, DNS6, 8)), 0);
        guest.receivesNothing();
        assertThat(net.dropped("layer=ip,reason=source")).isEqualTo(1);
    }

    /** Java takes ::ffff:a.b.c.d for IPv4, as this network does: it is written by hand. */
    private static IpAddress mappedOr(String text) {
        return text.startsWith("::ffff:") ? IpAddress.parse(text.substring(7)) : IpAddress.parse(text);
    }

    @ParameterizedTest
    @ValueSource(strings = {"::1", "::", "::7f00:1"})
    void destinationsNoPacketMayGoTo_areDropped(String destination) {
        IpAddress to = IpAddress.parse(destination);
        guest.sendFrame(guest.ip(IpProtocol.ICMPV6, GUEST6, to, 64, echo(GUEST6, to, 8)), 0);
        guest.receivesNothing();
        assertThat(net.dropped("layer=ip,reason=destination")).isEqualTo(1);
    }

    /** On the wire it would be IPv6, in our tables IPv4: a guest must not choose between them. */
    @Test
    void mappedIpv4_onTheWire_isDropped() {
        ByteBuf frame = guest.ip(IpProtocol.ICMPV6, GUEST6, DNS6, 64, echo(GUEST6, DNS6, 8));
        frame.setLong(14 + 24, 0).setLong(14 + 32, GuestEnd.HOST.lo());
        guest.sendFrame(frame, 0);
        guest.receivesNothing();
        assertThat(net.dropped("layer=ip,reason=destination")).isEqualTo(1);
    }

    @Test
    void multicastNobodyHereTakes_isDropped() {
        for (String group : new String[] {"ff02::fb", "ff02::16", "ff05::2", "ff0e::1", "ff02::1:ff00:3"}) {
            IpAddress to = IpAddress.parse(group);
            guest.sendFrame(guest.ip(IpProtocol.ICMPV6, GUEST6, to, 64, echo(GUEST6, to, 8)), 0);
        }
        guest.receivesNothing();
        assertThat(net.dropped("reason=multicast")).isEqualTo(5);
    }

    @Test
    void linkLocalSource_beyondTheLink_isBeyondItsScope() { // RFC 4007 §9
        guest.sendFrame(
                guest.ip(IpProtocol.ICMPV6, GUEST_LINK_LOCAL, ELSEWHERE, 64, echo(GUEST_LINK_LOCAL, ELSEWHERE, 8)), 0);
        Received error = guest.receiveIcmp6(Icmpv6Header.DESTINATION_UNREACHABLE, Icmpv6Header.CODE_BEYOND_SCOPE);
        assertThat(error.source()).isEqualTo(ROUTER);
        assertThat(net.dropped("reason=scope")).isEqualTo(1);
    }

    @Test
    void addressOfTheLinkNobodyHas_isUnreachable() {
        for (String nobody : new String[] {"fdc4:f303:9324::99", "fe80::99"}) {
            guest.sendPing(IpAddress.parse(nobody), 1, 1, new byte[0]);
            guest.receiveIcmp6(Icmpv6Header.DESTINATION_UNREACHABLE, Icmpv6Header.CODE_ADDRESS);
        }
    }

    @Test
    void lastHop_isTheGateway() {
        guest.sendFrame(guest.ip(IpProtocol.ICMPV6, GUEST6, ELSEWHERE, 1, echo(GUEST6, ELSEWHERE, 8)), 0);
        Received error = guest.receiveIcmp6(Icmpv6Header.TIME_EXCEEDED, Icmpv6Header.CODE_HOP_LIMIT);
        assertThat(error.source()).isEqualTo(GATEWAY6);
        guest.receivesNothing();
    }

    @Test
    void icmpErrorsAndBadChecksums_getNoAnswer() {
        ByteBuf error = Unpooled.buffer();
        Icmpv6Header.write(error, Icmpv6Header.TIME_EXCEEDED, 0, 0);
        guest.sendIcmp6(GUEST6, ELSEWHERE, 1, error);
        ByteBuf bad = echo(GUEST6, GATEWAY6, 8);
        bad.setShort(2, 0x1234);
        guest.sendFrame(guest.ip(IpProtocol.ICMPV6, GUEST6, GATEWAY6, 64, bad), 0);
        guest.receivesNothing();
        assertThat(net.dropped("layer=ip,reason=checksum")).isEqualTo(1);
    }

    @Test
    void errors_fitInTheLeastMtu_andAreLimited() { // RFC 4443 §2.4 (c), (f)
        for (int i = 0; i < 200; i++) {
            guest.sendFrame(
                    guest.ip(SCTP, GUEST6, ELSEWHERE, 64, Unpooled.buffer().writeZero(1400)), 0);
        }
        assertThat(guest.receivedCount()).isEqualTo(50);
        while (guest.hasReceived()) {
            assertThat(guest.receive().frame().readableBytes()).isLessThanOrEqualTo(14 + 1280);
        }
    }

    @Test
    void listenerReports_areTakenSilently() {
        ByteBuf report = Unpooled.buffer();
        Icmpv6Header.write(report, Icmpv6Header.LISTENER_REPORT_V2, 0, 1);
        report.writeInt(0x0400_0000).writeLong(ALL_NODES.hi()).writeLong(0xFB);
        guest.sendIcmp6(GUEST_LINK_LOCAL, ALL_NODES, 1, report);
        guest.receivesNothing();
        assertThat(net.dropped("reason=multicast")).isEqualTo(1);
    }
}
