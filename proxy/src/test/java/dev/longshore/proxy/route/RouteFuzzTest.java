package dev.longshore.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.charset.StandardCharsets;

/** Any text as an exclusion list and as a proxy's URL. How to search: {@code ./longshore fuzz}. */
class RouteFuzzTest {
    /** The first line is a host. */
    @FuzzTest(maxDuration = "1m")
    void exclusionList(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        int line = text.indexOf('\n');
        String host = line < 0 ? "example.com" : text.substring(0, line);
        ExclusionList list = ExclusionList.parse(text.substring(line + 1));
        String fits = list.match(host, null, 443);
        assertThat(fits == null || list.entries().contains(fits)).isTrue();
        ExclusionList again = ExclusionList.parse(list.toString());
        assertThat(again.match(host, null, 443)).isEqualTo(fits);
        assertThat(again.ignored()).isEmpty();
    }

    @FuzzTest(maxDuration = "1m")
    void proxyUrl(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        ProxyAddress read;
        try {
            read = ProxyUrl.parse(text);
        } catch (IllegalArgumentException e) {
            assertThat(e.getMessage()).isNotNull().doesNotContain("\n");
            return;
        }
        assertThat(ProxyUrl.parse(read.toString()))
                .isEqualTo(new ProxyAddress(read.protocol(), read.host(), read.port(), null));
    }
}
