package dev.longshore.proxy.intercept;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.proxy.intercept.FirstBytes.Kind;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;

/** Any bytes as the first of a connection: no exception, and a verdict once given is the one that all bytes together get. */
class FirstBytesFuzzTest {
    @FuzzTest(maxDuration = "1m")
    void firstBytes(byte[] input) {
        ByteBuf all = Unpooled.wrappedBuffer(input);
        FirstBytes whole = FirstBytes.of(all);
        assertThat(all.readerIndex()).isZero();
        String sni = whole.sni();
        if (sni != null) {
            assertThat(whole.kind()).isEqualTo(Kind.TLS);
            assertThat(sni).matches("[a-z0-9._-]{1,253}");
        }
        for (int length = 0; length < Math.min(input.length, 512); length++) {
            FirstBytes early = FirstBytes.of(all.slice(0, length));
            if (early.kind() != Kind.UNDECIDED && early.kind() != Kind.REQUEST_LINE) {
                assertThat(early).isEqualTo(whole);
            }
        }
    }
}
