package dev.longshore.packet.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Any text as a filter, any bytes as a frame: a text is refused with a reason or works, and what is said of a frame depends
 * on its own bytes only. How to search: {@code ./longshore fuzz}.
 */
class CaptureFuzzTest {
    private static final List<CaptureFilter> FILTERS = List.of(
            CaptureFilter.parse("tcp port 80 or udp portrange 53-67"),
            CaptureFilter.parse("not (src net 10.0.0.0/8 or dst host fe80::1)"),
            CaptureFilter.parse("arp or icmp or icmp6"));

    /** Input: a byte that says how long the text is, the text, a frame. */
    @FuzzTest(maxDuration = "2m")
    void captureFilter(byte[] input) {
        int length = input.length == 0 ? 0 : Math.min(input[0] & 0xFF, input.length - 1);
        String text = new String(input, Math.min(1, input.length), length, StandardCharsets.ISO_8859_1);
        CaptureFilter filter;
        try {
            filter = CaptureFilter.parse(text);
        } catch (IllegalArgumentException e) {
            assertThat(e.getMessage()).isNotBlank();
            return;
        }
        ByteBuf frame = Unpooled.wrappedBuffer(input);
        int at = Math.min(input.length, 1 + length);
        boolean matches = filter.matches(frame, at, input.length - at);
        assertThat(CaptureFilter.parse(filter.toString()).matches(frame, at, input.length - at))
                .isEqualTo(matches);
        String negated = "not (" + text + ")";
        if (text.isBlank()) {
            assertThat(matches).isTrue();
            assertThatThrownBy(() -> CaptureFilter.parse(negated)).isInstanceOf(IllegalArgumentException.class);
        } else if (parses(negated)) { // one deeper may be too deep
            assertThat(CaptureFilter.parse(negated).matches(frame, at, input.length - at))
                    .isEqualTo(!matches);
        }
    }

    private static boolean parses(String text) {
        try {
            CaptureFilter.parse(text);
            return true;
        } catch (IllegalArgumentException e) {
            assertThat(e.getMessage()).contains("deep");
            return false;
        }
    }

    /** Input: a byte that says how much the frame was cut, a frame. */
    @FuzzTest(maxDuration = "2m")
    void packetText(byte[] input) {
        if (input.length == 0) {
            return;
        }
        int len = input.length - 1;
        int frameBytes = len + (input[0] & 0xFF);
        String alone = PacketText.of(Unpooled.wrappedBuffer(input), 1, len, frameBytes);
        assertThat(alone).as("one line for a terminal").matches("[ -~]+").hasSizeLessThan(600);
        for (int around : new int[] {0, 0xFF}) {
            ByteBuf b = Unpooled.buffer();
            for (int i = 0; i < 13; i++) {
                b.writeByte(around);
            }
            b.writeBytes(input, 1, len);
            for (int i = 0; i < 300; i++) {
                b.writeByte(around);
            }
            assertThat(PacketText.of(b, 13, len, frameBytes)).isEqualTo(alone);
            for (CaptureFilter filter : FILTERS) {
                assertThat(filter.matches(b, 13, len))
                        .as(filter.toString())
                        .isEqualTo(filter.matches(Unpooled.wrappedBuffer(input), 1, len));
            }
        }
    }
}
