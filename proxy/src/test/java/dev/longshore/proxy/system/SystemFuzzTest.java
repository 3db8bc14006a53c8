package dev.longshore.proxy.system;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.proxy.route.ProxyConfig;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Any text as a desktop's settings: read or not, nothing else. How to search: {@code ./longshore fuzz}. */
class SystemFuzzTest {
    @FuzzTest(maxDuration = "1m")
    void desktopSettings(byte[] input) {
        if (input.length == 0) {
            return;
        }
        String text = new String(input, 1, input.length - 1, StandardCharsets.UTF_8);
        check(
                switch (input[0] & 3) {
                    case 0 -> Kde.read(text, Map.of("X", "a:1"));
                    case 1 -> Gnome.read(text);
                    case 2 -> Scutil.read(text);
                    default -> Windows.read(text);
                });
    }

    private static void check(@Nullable ProxyConfig config) {
        if (config instanceof ProxyConfig.Fixed f) {
            assertThat(f.plain() != null || f.tunnel() != null).isTrue();
        }
    }
}
