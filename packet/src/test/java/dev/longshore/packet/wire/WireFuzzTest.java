package dev.longshore.packet.wire;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;

/**
 * Whatever bytes a message has: its readers don't throw, end, and tell the same whatever is around it. How to search:
 * {@code ./longshore fuzz}.
 */
class WireFuzzTest {
    /** Calls every accessor that the validity of the message allows, and writes down what they say. */
    private interface Reader {
        void read(ByteBuf b, int at, int len, Said said);
    }

    /** Indices are kept relative to the message, so that two places can be compared. */
    private static final class Said {
        private final List<Object> all = new ArrayList<>();
        private final int at;

        Said(int at) {
            this.at = at;
        }

        void value(Object value) {
            all.add(value);
        }

        /** An index in the message or at its end, or a negative answer. */
        void index(int index, int len) {
            assertThat(index).isBetween(-1, at + len);
            all.add(index < 0 ? index : index - at);
        }
    }

    private static void check(byte[] input, Reader reader) {
        List<Object> alone = saidBy(reader, Unpooled.wrappedBuffer(input), 0, input.length);
        for (int around : new int[] {0, 0xFF, 1}) {
            ByteBuf b = Unpooled.buffer();
            fill(b, around, 13);
            b.writeBytes(input);
            fill(b, around, 300);
            assertThat(saidBy(reader, b, 13, input.length))
                    .as("between bytes of %d", around)
                    .isEqualTo(alone);
        }
    }

    private static void fill(ByteBuf b, int value, int bytes) {
        for (int i = 0; i < bytes; i++) {
            b.writeByte(value);
        }
    }

    private static List<Object> saidBy(Reader reader, ByteBuf b, int at, int len) {
        Said said = new Said(at);
        reader.read(b, at, len, said);
        return said.all;
    }

    @FuzzTest(maxDuration = "2m")
    void tcpOptions(byte[] input) {
        check(input, WireFuzzTest::readTcp);
    }

    private static void readTcp(ByteBuf b, int at, int len, Said said) {
        if (!TcpHeader.isValid(b, at, len)) {
            return;
        }
        int end = TcpHeader.headerBytes(b, at);
        said.value(TcpOptions.mss(b, at));
        int scale = TcpOptions.windowScale(b, at);
        assertThat(scale).isBetween(-1, TcpOptions.MAX_WINDOW_SCALE);
        said.value(scale);
        said.value(TcpOptions.sackPermitted(b, at));
        int stamps = TcpOptions.timestampsIndex(b, at);
        said.index(stamps, end - 8);
        int sack = TcpOptions.sackIndex(b, at);
        int blocks = TcpOptions.sackBlocks(b, at);
        assertThat(blocks).isBetween(0, TcpOptions.MAX_SACK_BLOCKS);
        assertThat(blocks == 0).isEqualTo(sack < 0);
        said.index(sack, end - 8 * blocks);
        said.value(TcpHeader.segLen(b, at, len));
    }

    @FuzzTest(maxDuration = "2m")
    void dnsMessage(byte[] input) {
        check(input, WireFuzzTest::readDns);
    }

    private static void readDns(ByteBuf b, int at, int len, Said said) {
        if (!DnsMessage.isValid(b, at, len)) {
            return;
        }
        said.value(DnsMessage.opcode(b, at));
        int i = at + DnsMessage.HEADER_BYTES;
        for (int k = DnsMessage.questions(b, at); k > 0 && i >= 0; k--) {
            readName(b, at, len, i, said);
            i = progress(i, DnsMessage.skipQuestion(b, at, len, i), len, said);
        }
        int records = DnsMessage.answers(b, at) + DnsMessage.authorities(b, at) + DnsMessage.additionals(b, at);
        for (int k = records; k > 0 && i >= 0; k--) {
            readName(b, at, len, i, said);
            int next = progress(i, DnsMessage.skipRecord(b, at, len, i), len, said);
            if (next >= 0) {
                int afterName = DnsMessage.skipName(b, at, len, i);
                said.value(DnsMessage.type(b, afterName));
                said.value(DnsMessage.dnsClass(b, afterName));
            }
            i = next;
        }
    }

    private static int progress(int from, int to, int len, Said said) {
        said.index(to, len);
        assertThat(to < 0 || to > from).as("a walk goes forward").isTrue();
        return to;
    }

    private static void readName(ByteBuf b, int at, int len, int nameAt, Said said) {
        String name = DnsMessage.name(b, at, len, nameAt);
        said.value(String.valueOf(name));
        if (name != null) {
            assertThat(name).hasSizeLessThanOrEqualTo(253).matches("[!-~]*").doesNotContain("..");
            assertThat(DnsMessage.skipName(b, at, len, nameAt)).isPositive();
            ByteBuf again = Unpooled.buffer().writeZero(DnsMessage.HEADER_BYTES);
            DnsMessage.writeName(again, name);
            assertThat(DnsMessage.name(again, 0, again.writerIndex(), DnsMessage.HEADER_BYTES))
                    .isEqualTo(name);
        }
    }

    @FuzzTest(maxDuration = "2m")
    void dhcpMessage(byte[] input) {
        check(input, WireFuzzTest::readDhcp);
    }

    private static void readDhcp(ByteBuf b, int at, int len, Said said) {
        if (!DhcpMessage.isValid(b, at, len)) {
            return;
        }
        said.value(DhcpMessage.clientMac(b, at));
        said.value(DhcpMessage.relayIp(b, at));
        for (int code = 1; code < 255; code++) {
            int value = DhcpMessage.option(b, at, len, code);
            said.index(value, len);
            assertThat(value < 0 || value + b.getUnsignedByte(value - 1) <= at + len)
                    .isTrue();
            said.value(DhcpMessage.byteOption(b, at, len, code, -1));
            said.value(DhcpMessage.intOption(b, at, len, code, -1));
        }
    }

    @FuzzTest(maxDuration = "2m")
    void dhcpv6Message(byte[] input) {
        check(input, WireFuzzTest::readDhcpv6);
    }

    private static void readDhcpv6(ByteBuf b, int at, int len, Said said) {
        if (!Dhcpv6Message.isValid(b, at, len)) {
            return;
        }
        said.value(Dhcpv6Message.type(b, at));
        said.value(Dhcpv6Message.transaction(b, at));
        for (int code = 0; code < 40; code++) {
            int value = Dhcpv6Message.option(b, at, len, code);
            said.index(value, len);
            said.value(Dhcpv6Message.requests(b, at, len, code));
            if (value >= 0) {
                int bytes = Dhcpv6Message.length(b, value);
                assertThat(value + bytes).isLessThanOrEqualTo(at + len);
                said.value(Dhcpv6Message.isLinkLayerDuid(b, value, bytes, 0x0200_0000_0001L));
                int inner = Math.min(Dhcpv6Message.IA_BYTES, bytes);
                said.index(
                        Dhcpv6Message.optionIn(b, value + inner, value + bytes, Dhcpv6Message.OPTION_IA_ADDRESS),
                        value - at + bytes);
            }
        }
    }

    @FuzzTest(maxDuration = "2m")
    void ndpMessage(byte[] input) {
        check(input, WireFuzzTest::readNdp);
    }

    private static void readNdp(ByteBuf b, int at, int len, Said said) {
        if (!NdpMessage.isValid(b, at, len)) {
            return;
        }
        int type = Icmpv6Header.type(b, at);
        said.value(type);
        if (type == NdpMessage.NEIGHBOR_SOLICITATION || type == NdpMessage.NEIGHBOR_ADVERTISEMENT) {
            said.value(NdpMessage.targetHi(b, at));
            said.value(NdpMessage.targetLo(b, at));
            said.value(NdpMessage.flags(b, at));
        }
        for (int option = 0; option < 256; option++) {
            int found = NdpMessage.option(b, at, len, option);
            said.index(found, len - 8);
            said.value(NdpMessage.linkAddress(b, at, len, option));
        }
    }

    @FuzzTest(maxDuration = "2m")
    void ipv6Extensions(byte[] input) {
        check(input, WireFuzzTest::readExtensions);
    }

    /** Input: the first next header, then the chain. */
    private static void readExtensions(ByteBuf b, int at, int len, Said said) {
        if (len < 1) {
            return;
        }
        int next = b.getUnsignedByte(at);
        int i = at + 1;
        int end = at + len;
        while (true) {
            int bytes;
            if (next == Ipv6Extension.FRAGMENT) {
                if (end - i < Ipv6Extension.FRAGMENT_BYTES) {
                    return;
                }
                said.value(Ipv6Extension.fragmentOffset(b, i));
                said.value(Ipv6Extension.moreFragments(b, i));
                said.value(Ipv6Extension.identification(b, i));
                bytes = Ipv6Extension.FRAGMENT_BYTES;
            } else {
                if (!Ipv6Extension.isValid(b, i, end - i)) {
                    return;
                }
                bytes = Ipv6Extension.headerBytes(b, i);
                int bad = Ipv6Extension.badOption(b, i);
                said.index(bad, i - at + bytes - 1);
                said.value(bad >= 0 && Ipv6Extension.wantsError(b.getUnsignedByte(bad)));
                said.value(Ipv6Extension.segmentsLeft(b, i));
            }
            next = Ipv6Extension.nextHeader(b, i);
            said.value(next);
            i += bytes;
        }
    }

    @FuzzTest(maxDuration = "2m")
    void icmp(byte[] input) {
        check(input, WireFuzzTest::readIcmp);
    }

    private static void readIcmp(ByteBuf b, int at, int len, Said said) {
        if (IcmpHeader.isValid(b, at, len)) {
            said.value(IcmpHeader.isError(IcmpHeader.type(b, at)));
            said.value(IcmpHeader.nextHopMtu(b, at));
            said.value(IcmpHeader.isChecksumRight(b, at, len));
            ByteBuf completed = b.copy();
            IcmpHeader.complete(completed, at, len);
            assertThat(IcmpHeader.isChecksumRight(completed, at, len)).isTrue();
            completed.release();
        }
        if (Icmpv6Header.isValid(b, at, len)) {
            said.value(Icmpv6Header.mtu(b, at));
            said.value(Icmpv6Header.isChecksumRight(b, at, len, 1, 2, 3, 4));
            ByteBuf completed = b.copy();
            Icmpv6Header.complete(completed, at, len, 1, 2, 3, 4);
            assertThat(Icmpv6Header.isChecksumRight(completed, at, len, 1, 2, 3, 4))
                    .isTrue();
            completed.release();
        }
    }
}
