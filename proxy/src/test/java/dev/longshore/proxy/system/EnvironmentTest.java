package dev.longshore.proxy.system;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.route.ProxyConfig;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class EnvironmentTest {
    @Test
    void smallLetters_countFirst_andEmptyIsUnset() {
        ProxyConfig.Fixed f = fixed(Map.of(
                "http_proxy", "http://small:1",
                "HTTP_PROXY", "http://capital:1",
                "https_proxy", " ",
                "HTTPS_PROXY", "https://u:secret@capital:2",
                "NO_PROXY", "localhost,.corp"));
        assertThat(String.valueOf(f.plain())).isEqualTo("http://small:1");
        assertThat(String.valueOf(f.tunnel())).isEqualTo("https://capital:2");
        assertThat(f.exclude().entries()).containsExactly("localhost", ".corp");
        assertThat(f.excludeKey()).isEqualTo("NO_PROXY");
        assertThat(f.source()).isEqualTo("environment (http_proxy, HTTPS_PROXY)");
        assertThat(f.toString()).doesNotContain("secret");
    }

    @Test
    void allProxy_standsInForWhatIsNotSet() {
        ProxyConfig.Fixed f = fixed(Map.of("HTTPS_PROXY", "proxy:1", "all_proxy", "socks5h://socks"));
        assertThat(String.valueOf(f.plain())).isEqualTo("socks5://socks:1080");
        assertThat(String.valueOf(f.tunnel())).isEqualTo("http://proxy:1");
        assertThat(fixed(Map.of("http_proxy", "proxy:1")).tunnel()).isNull();
    }

    @Test
    void httpoxy_isNotObeyed() {
        assertThat(Environment.read(Map.of("HTTP_PROXY", "http://evil:1", "REQUEST_METHOD", "GET")))
                .isNull();
        assertThat(fixed(Map.of("http_proxy", "http://good:1", "REQUEST_METHOD", "GET"))
                        .plain())
                .isNotNull();
    }

    @Test
    void badUrl_isToldByItsName_withoutItself() {
        assertThat(Environment.read(Map.of("HTTPS_PROXY", "http://u:secret@proxy:port")))
                .isInstanceOfSatisfying(ProxyConfig.Unusable.class, u -> assertThat(u.reason())
                        .contains("HTTPS_PROXY has a port")
                        .doesNotContain("secret"));
    }

    @Test
    void nothing_isNothing() {
        assertThat(Environment.read(Map.of())).isNull();
        assertThat(Environment.read(Map.of("NO_PROXY", "*", "http_proxy", ""))).isNull();
    }

    private static ProxyConfig.Fixed fixed(Map<String, String> variables) {
        return (ProxyConfig.Fixed) Objects.requireNonNull(Environment.read(variables));
    }
}
