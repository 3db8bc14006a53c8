package dev.longshore.vpnkit;

import static dev.longshore.testkit.GuestEnd.GUEST_LINK_LOCAL;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.DnsFilter;
import dev.longshore.config.NetworkingMode;
import dev.longshore.packet.wire.Dhcpv6Message;
import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.NdpMessage;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.xbill.DNS.AAAARecord;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Message;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;

/** The settings {@code defaultNetworkingMode} and {@code dnsInhibition}, changed while the network runs. */
class NetworkFamiliesTest {
    private static final IpAddress REMOTE = IpAddress.parse("198.51.100.9");
    private static final IpAddress REMOTE6 = IpAddress.parse("2001:db8::9");

    private final DnsRig rig = new DnsRig(1);
    private final TestNetwork net = rig.net;
    private final GuestEnd guest = net.guest;

    @AfterEach
    void close() {
        rig.close();
    }

    private Received advertisement() {
        return guest.receiveIcmp6(NdpMessage.ROUTER_ADVERTISEMENT, 0);
    }

    private static int option(Received ra, int type) {
        return NdpMessage.option(ra.frame(), ra.transportAt(), ra.transportLen(), type);
    }

    @Test
    void modeWithoutIpv6_withdrawsPrefixRouterAndResolver_andGivesThemBack() {
        net.network.setFamilies(NetworkingMode.IPV4ONLY, DnsFilter.AUTO);

        Received none = advertisement();
        ByteBuf b = none.frame();
        assertThat(NdpMessage.routerLifetime(b, none.transportAt())).isZero();
        assertThat(NdpMessage.routerFlags(b, none.transportAt())).isZero();
        int prefix = option(none, NdpMessage.OPTION_PREFIX);
        assertThat(b.getInt(prefix + 4)).as("valid").isZero();
        assertThat(b.getInt(prefix + 8)).as("preferred").isZero();
        assertThat(b.getInt(option(none, NdpMessage.OPTION_RDNSS) + 4)).isZero();

        net.network.setFamilies(NetworkingMode.DUAL_STACK, DnsFilter.AUTO);

        Received all = advertisement();
        assertThat(NdpMessage.routerLifetime(all.frame(), all.transportAt())).isEqualTo(1800);
        assertThat(all.frame().getInt(option(all, NdpMessage.OPTION_PREFIX) + 4))
                .isEqualTo(NdpMessage.INFINITE);
    }

    @Test
    void modeWithoutIpv6_isSilentToDhcpv6() {
        net.network.setFamilies(NetworkingMode.IPV4ONLY, DnsFilter.AUTO);
        advertisement();
        guest.address(GUEST_LINK_LOCAL);
        askDhcpv6();
        guest.receivesNothing();

        net.network.setFamilies(NetworkingMode.DUAL_STACK, DnsFilter.AUTO);
        advertisement();
        askDhcpv6();
        assertThat(guest.hasReceived()).isTrue();
    }

    private void askDhcpv6() {
        ByteBuf question = Unpooled.buffer();
        Dhcpv6Message.write(question, Dhcpv6Message.INFORMATION_REQUEST, 7);
        guest.sendUdp(
                Dhcpv6Message.CLIENT_PORT,
                Dhcpv6Message.ALL_SERVERS,
                Dhcpv6Message.SERVER_PORT,
                ByteBufUtil.getBytes(question));
    }

    @Test
    void udpToAFamilyThatIsOff_isUnreachable_andTheHostIsReachedInBoth() {
        net.network.setFamilies(NetworkingMode.IPV4ONLY, DnsFilter.AUTO);
        advertisement();
        guest.sendUdp(4000, REMOTE6, 9, "x");
        guest.receiveIcmp6(Icmpv6Header.DESTINATION_UNREACHABLE, Icmpv6Header.CODE_NO_ROUTE);

        net.network.setFamilies(NetworkingMode.IPV6ONLY, DnsFilter.AUTO);
        advertisement();
        guest.sendUdp(4000, REMOTE, 9, "x");
        guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_NET);
        assertThat(net.dropped("layer=udp,reason=family")).isEqualTo(2);
        assertThat(net.network.families().mayReach(0, GuestEnd.HOST.lo())).isTrue();
        assertThat(net.network.families().mayReach(REMOTE6.hi(), REMOTE6.lo())).isTrue();
        assertThat(net.network.families().mayReach(0, REMOTE.lo())).isFalse();
    }

    @Test
    void pingToAFamilyThatIsOff_isUnreachable() {
        net.network.setFamilies(NetworkingMode.IPV6ONLY, DnsFilter.AUTO);
        advertisement();

        guest.sendPing(REMOTE, 1, 1, new byte[] {1});

        guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_NET);
    }

    @ParameterizedTest
    @CsvSource({
        "DUAL_STACK, AUTO, true,  true,  false, false",
        "DUAL_STACK, AUTO, true,  false, false, true",
        "DUAL_STACK, AUTO, false, true,  true,  false",
        "DUAL_STACK, AUTO, false, false, false, false",
        "IPV4ONLY,   AUTO, true,  true,  false, true",
        "IPV6ONLY,   AUTO, true,  true,  true,  false",
        "DUAL_STACK, IPV4, true,  true,  true,  false",
        "DUAL_STACK, IPV6, true,  true,  false, true",
        "IPV4ONLY,   NONE, true,  false, false, false",
    })
    void addressRecords_areLeftOut(
            NetworkingMode mode, DnsFilter filter, boolean hostV4, boolean hostV6, boolean noA, boolean noAaaa) {
        net.hostHasIpv4 = hostV4;
        net.hostHasIpv6 = hostV6;
        net.network.setFamilies(mode, filter);
        advertisement();

        rig.resolver().says = NetworkFamiliesTest::both;
        assertThat(answers("example.com", DnsMessage.TYPE_A)).isEqualTo(noA ? 0 : 1);
        assertThat(answers("example.com", DnsMessage.TYPE_AAAA)).isEqualTo(noAaaa ? 0 : 1);
        assertThat(net.count("vpnkit.dns.filtered", "")).isEqualTo((noA ? 1 : 0) + (noAaaa ? 1 : 0));
    }

    private static Message both(Message query) {
        Record q = query.getQuestion();
        Message m = FakeResolver.answer(query);
        m.addRecord(
                q.getType() == DnsMessage.TYPE_A
                        ? FakeResolver.a(q.getName(), 60, 1)
                        : new AAAARecord(q.getName(), DClass.IN, 60, new byte[16]),
                Section.ANSWER);
        return m;
    }

    /** vpnkit: resolvers hung on how a AAAA was left out. */
    @Test
    void leftOut_isAnsweredWithTheQuestion_andForHowLong() {
        net.network.setFamilies(NetworkingMode.DUAL_STACK, DnsFilter.IPV6);
        advertisement();
        rig.resolver().says = NetworkFamiliesTest::both;

        ByteBuf answer = look("Example.com", DnsMessage.TYPE_AAAA);

        assertThat(DnsMessage.name(answer, 0, answer.readableBytes(), 12)).isEqualToIgnoringCase("example.com");
        assertThat(DnsMessage.rcode(answer, 0)).isZero();
        assertThat(DnsMessage.answers(answer, 0)).isZero();
        assertThat(DnsMessage.authorities(answer, 0)).isEqualTo(1);
    }

    @Test
    void hostThatGetsIpv6_isBelievedSoon() {
        rig.resolver().says = NetworkFamiliesTest::both;
        net.hostHasIpv6 = false;
        assertThat(answers("example.com", DnsMessage.TYPE_AAAA)).isZero();
        net.hostHasIpv6 = true;
        net.loop.advance(Duration.ofSeconds(5));
        assertThat(answers("example.com", DnsMessage.TYPE_AAAA)).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource({
        "DUAL_STACK, AUTO, 1",
        "DUAL_STACK, IPV4, 1",
        "DUAL_STACK, IPV6, 0",
        "IPV4ONLY,   AUTO, 0",
        "IPV6ONLY,   AUTO, 1",
    })
    void ourNames_keepTheirIpv4Address_andLoseIpv6WhereThereIsNone(NetworkingMode mode, DnsFilter filter, int aaaa) {
        net.hostHasIpv6 = false; // of no matter to them
        net.network.setFamilies(mode, filter);
        advertisement();

        assertThat(DnsMessage.answers(look("host.docker.internal", DnsMessage.TYPE_A), 0))
                .isEqualTo(1);
        ByteBuf v6 = look("host.docker.internal", DnsMessage.TYPE_AAAA);
        assertThat(DnsMessage.rcode(v6, 0)).isZero();
        assertThat(DnsMessage.answers(v6, 0)).isEqualTo(aaaa);
        assertThat(DnsMessage.answers(look("localhost", DnsMessage.TYPE_AAAA), 0))
                .isEqualTo(1);
    }

    private int answers(String name, int type) {
        return DnsMessage.answers(look(name, type), 0);
    }

    private ByteBuf look(String name, int type) {
        ByteBuf q = Unpooled.buffer();
        DnsMessage.writeQueryHeader(q, 0x1234);
        DnsMessage.writeQuestion(q, name, type);
        guest.sendUdp(5353, GuestEnd.DNS, 53, ByteBufUtil.getBytes(q));
        return Unpooled.wrappedBuffer(rig.receive());
    }
}
