package dev.longshore.packet.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Header;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CaptureFilterTest {
    private static final ByteBuf TCP4 = v4(IpProtocol.TCP, "192.168.65.3", "192.0.2.9", 40_000, 443, 0);
    private static final ByteBuf UDP4 = v4(IpProtocol.UDP, "192.168.65.7", "192.168.65.3", 53, 5353, 0);
    private static final ByteBuf LATER_FRAGMENT = v4(IpProtocol.UDP, "192.168.65.3", "192.0.2.9", 53, 53, 100);
    private static final ByteBuf PING = v4(IpProtocol.ICMP, "192.168.65.3", "192.0.2.9", 0x0800, 0, 0);
    private static final ByteBuf TCP6 = v6(IpProtocol.TCP, "fdc4:f303:9324::3", "2001:db8::1", 40_000, 80);
    private static final ByteBuf ARP = arp();

    private static ByteBuf v4(int protocol, String from, String to, int fromPort, int toPort, int fragmentOffset) {
        ByteBuf b = Unpooled.buffer();
        EthernetHeader.write(b, 1, 2, EthernetHeader.TYPE_IPV4);
        Ipv4Header.write(
                b,
                protocol,
                64,
                0,
                IpAddress.parse(from).v4Bits(),
                IpAddress.parse(to).v4Bits());
        b.writeShort(fromPort).writeShort(toPort).writeZero(16);
        Ipv4Header.complete(b, EthernetHeader.BYTES, 40);
        b.setShort(EthernetHeader.BYTES + 6, fragmentOffset);
        return b;
    }

    private static ByteBuf v6(int protocol, String from, String to, int fromPort, int toPort) {
        ByteBuf b = Unpooled.buffer();
        EthernetHeader.write(b, 1, 2, EthernetHeader.TYPE_IPV6);
        IpAddress source = IpAddress.parse(from);
        IpAddress destination = IpAddress.parse(to);
        Ipv6Header.write(b, 60, 64, source.hi(), source.lo(), destination.hi(), destination.lo());
        b.writeByte(protocol).writeByte(0).writeZero(6); // destination options: skipped
        b.writeShort(fromPort).writeShort(toPort).writeZero(16);
        Ipv6Header.complete(b, EthernetHeader.BYTES, 28);
        return b;
    }

    private static ByteBuf arp() {
        ByteBuf b = Unpooled.buffer();
        EthernetHeader.write(b, EthernetHeader.BROADCAST, 2, EthernetHeader.TYPE_ARP);
        ArpPacket.write(
                b,
                ArpPacket.REQUEST,
                2,
                IpAddress.parse("192.168.65.3").v4Bits(),
                0,
                IpAddress.parse("192.168.65.1").v4Bits());
        return b;
    }

    private static String taken(String filter) {
        CaptureFilter f = CaptureFilter.parse(filter);
        StringBuilder names = new StringBuilder();
        ByteBuf[] frames = {TCP4, UDP4, LATER_FRAGMENT, PING, TCP6, ARP};
        String[] letters = {"t", "u", "f", "p", "6", "a"};
        for (int i = 0; i < frames.length; i++) {
            if (f.matches(frames[i], 0, frames[i].readableBytes())) {
                names.append(letters[i]);
            }
        }
        return names.toString();
    }

    @ParameterizedTest
    @CsvSource({
        "'', tufp6a",
        "tcp, t6",
        "udp, uf",
        "ip, tufp",
        "ip6, 6",
        "arp, a",
        "icmp, p",
        "icmp6, ''",
        "port 53, u",
        "src port 53, u",
        "dst port 53, ''",
        "tcp port 443, t",
        "udp port 443, ''",
        "tcp dst port 443, t",
        "tcp and port 80, 6",
        "portrange 443-60000, tu6",
        "portrange 60000-443, tu6",
        "host 192.0.2.9, tfp",
        "src host 192.0.2.9, ''",
        "dst host 192.0.2.9, tfp",
        "host 192.168.65.1, a",
        "host 2001:DB8::1, 6",
        "net 192.168.65.0/24, tufpa",
        "net fdc4:f303:9324::/64, 6",
        "net 0.0.0.0/0, tufpa",
        "net ::/0, tufp6a",
        "not tcp, ufpa",
        "! tcp && !arp, ufp",
        "!(tcp or arp), ufp",
        "tcp or udp and port 53, u",
        "tcp or (udp and port 53), tu6",
        "NOT (TCP OR UDP), pa",
    })
    void filter_takesWhatPcapFilterTakes(String filter, String frames) {
        assertThat(taken(filter)).isEqualTo(frames);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "443 | needs a word before it",
                "port | ends too early, after 'port'",
                "port http | names of services",
                "port 65536 | not a port number",
                "host example.com | names are not looked up",
                "net 10 | ADDRESS/BITS",
                "net 10.1.0.0/8 | behind its prefix",
                "net 10.0.0.0/33 | prefix length",
                "portrange 80 | FIRST-LAST",
                "(tcp | without its ')'",
                "tcp) | without its '('",
                "tcp udp | 'and' or 'or' is missing before 'udp'",
                "tcp and | ends too early",
                "ether host 1 | not supported here",
                "tcp[13] | not supported here",
                "tcp src host 1.2.3.4 | write 'tcp and src host",
                "vlan | not supported here",
                "tpc | not a word of a filter",
                "tcp & udp | 'and' or 'or' is missing",
            })
    void filter_thatIsWrong_saysWhy(String filter, String why) {
        assertThatThrownBy(() -> CaptureFilter.parse(filter))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(why);
    }

    @ParameterizedTest
    @ValueSource(strings = {"(", "not "})
    void filter_nestedWithoutEnd_isRefused(String opening) {
        assertThatThrownBy(() -> CaptureFilter.parse(opening.repeat(1000) + "tcp"))
                .hasMessageContaining("32 deep");
        assertThatThrownBy(() -> CaptureFilter.parse(opening.repeat(5000))).hasMessageContaining("4096 characters");
    }

    /** Java's strip() takes more characters away than a filter's blanks are: found by the fuzz test. */
    @Test
    void text_controlCharacterAtItsEnd_isRefusedAsInItsMiddle() {
        for (String text : new String[] {"arp\u001f", "\u001carp", "(arp\u001f)"}) {
            assertThatThrownBy(() -> CaptureFilter.parse(text))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("is not a word of a filter");
        }
    }

    @Test
    void frames_cutAnywhereOrRandom_areReadWithinTheirBytes() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        CaptureFilter filter = CaptureFilter.parse("tcp port 1 or host 1.2.3.4 or ip6 and udp");
        ByteBuf[] frames = {TCP4, UDP4, LATER_FRAGMENT, PING, TCP6, ARP};
        for (int i = 0; i < 20_000; i++) {
            ByteBuf frame = frames[random.nextInt(frames.length)].copy();
            for (int n = random.nextInt(4); n > 0; n--) {
                frame.setByte(12 + random.nextInt(frame.readableBytes() - 12), random.nextInt());
            }
            int len = random.nextInt(frame.readableBytes() + 1);
            try {
                ByteBuf cut = Unpooled.buffer(len, len).writeBytes(frame, 0, len);
                assertThat(filter.matches(cut, 0, len)).isIn(true, false);
                PacketText.of(cut, 0, len, len);
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed + ", round " + i, e);
            }
        }
    }
}
