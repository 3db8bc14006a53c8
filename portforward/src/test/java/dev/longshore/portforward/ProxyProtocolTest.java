package dev.longshore.portforward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.packet.wire.IpAddress;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** proxy-protocol.txt, 2.1 and 2.2. */
class ProxyProtocolTest {
    private static final String SIGNATURE = "0d0a0d0a000d0a515549540a";

    private static InetSocketAddress at(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }

    private static byte[] header(ProxyProtocol protocol, String caller, String host) {
        ByteBuf header = protocol.header(
                UnpooledByteBufAllocator.DEFAULT,
                caller.isEmpty() ? null : at(caller, 40_000),
                host.isEmpty() ? null : at(host, 443));
        try {
            return ByteBufUtil.getBytes(header);
        } finally {
            header.release();
        }
    }

    private static String text(String caller, String host) {
        return new String(header(ProxyProtocol.V1, caller, host), StandardCharsets.US_ASCII);
    }

    private static String hex(String caller, String host) {
        return ByteBufUtil.hexDump(header(ProxyProtocol.V2, caller, host));
    }

    @Test
    void version1_isALine() {
        assertThat(text("192.0.2.1", "192.0.2.2")).isEqualTo("PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n");
        assertThat(text("2001:db8::1", "2001:db8::2")).isEqualTo("PROXY TCP6 2001:db8::1 2001:db8::2 40000 443\r\n");
        assertThat(text("", "")).isEqualTo("PROXY UNKNOWN\r\n");
    }

    @Test
    void version2_isBinary() {
        assertThat(hex("192.0.2.1", "192.0.2.2"))
                .isEqualTo(SIGNATURE + "21" + "11" + "000c" + "c0000201c0000202" + "9c4001bb");
        assertThat(hex("2001:db8::1", "2001:db8::2"))
                .isEqualTo(SIGNATURE + "21" + "21" + "0024" + "20010db8000000000000000000000001"
                        + "20010db8000000000000000000000002" + "9c4001bb");
        assertThat(hex("", "")).isEqualTo(SIGNATURE + "21" + "00" + "0000");
    }

    @Test
    void udp_hasNone() {
        IpAddress any = IpAddress.v4(0);
        assertThatThrownBy(() -> new Forward(HostEndpoint.udp(any, 53), any, 53, ProxyProtocol.V1))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
