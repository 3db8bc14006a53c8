package dev.longshore.proxy.pac;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.proxy.route.Hop;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Any text as what a script returned. How to search: {@code ./longshore fuzz}. */
class PacFuzzTest {
    @FuzzTest(maxDuration = "1m")
    void pacReply(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        List<Hop> hops = PacReply.parse(text);
        assertThat(hops).hasSizeLessThanOrEqualTo(33);
        for (int i = 0; i < hops.size() - 1; i++) {
            assertThat(hops.get(i)).isNotInstanceOf(Hop.Blocked.class);
        }
        assertThat(PacReply.shown(text)).hasSizeLessThan(1000).doesNotContain("\n", "\r", "\u001b");
    }

    /** Any bytes on the pipe from a script's process: texts, or the end. */
    @FuzzTest(maxDuration = "1m")
    void pacPipe(byte[] input) {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(input))) {
            while (true) {
                int _ = in.readInt();
                boolean good = in.readBoolean();
                String text = Wire.read(in);
                assertThat(text.length()).isLessThanOrEqualTo(input.length);
                if (!good) {
                    assertThat(new PacException(text).getMessage())
                            .hasSizeLessThan(1000)
                            .doesNotContain("\n");
                }
            }
        } catch (IOException e) {
            // the process is not ours any more
        }
    }
}
