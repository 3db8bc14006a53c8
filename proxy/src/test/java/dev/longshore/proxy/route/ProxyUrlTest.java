package dev.longshore.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.proxy.route.ProxyAddress.Login;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProxyUrlTest {
    @ParameterizedTest
    @CsvSource({
        "proxy:3128, http://proxy:3128",
        "http://proxy:3128, http://proxy:3128",
        "HTTP://Proxy.Example./, http://proxy.example:80",
        "https://proxy, https://proxy:443",
        "socks5://proxy, socks5://proxy:1080",
        "socks5h://proxy:9, socks5://proxy:9",
        "socks://proxy:9, socks5://proxy:9",
        "socks4a://proxy, socks4://proxy:1080",
        "http://[2001:DB8::1]:8080, http://[2001:db8::1]:8080",
        "http://192.0.2.1:8080, http://192.0.2.1:8080",
        "http://localhost:3128, http://localhost:3128",
        "http://host.docker.internal:3128, http://localhost:3128",
        "http://under_score:1, http://under_score:1",
    })
    void url_isRead(String url, String read) {
        assertThat(ProxyUrl.parse(url)).hasToString(read);
        assertThat(ProxyUrl.parse(url).login()).isNull();
    }

    @Test
    void login_isPercentDecoded_andNeverPrinted() {
        ProxyAddress proxy = ProxyUrl.parse("http://bob%40corp:b0b%3Ap%C3%A4%20ss%2F@proxy:3128");
        assertThat(proxy.login()).isEqualTo(new Login("bob@corp", "b0b:pä ss/"));
        assertThat(proxy).hasToString("http://proxy:3128");
        assertThat(String.valueOf(proxy.login())).doesNotContain("bob", "b0b");
        assertThat(ProxyUrl.parse("http://bob@proxy").login()).isEqualTo(new Login("bob", ""));
        assertThat(ProxyUrl.parse("http://a:b:c@d@proxy:1").login()).isEqualTo(new Login("a", "b:c@d"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "ftp://secret@proxy:1",
                "http://secret:p%zz@proxy:1",
                "http://secret:p%ff@proxy:1",
                "http://secret:p%4",
                "http://secret@proxy:0",
                "http://secret@proxy:65536",
                "http://secret@proxy:99999999999",
                "http://secret@proxy:8o80",
                "http://secret@:80",
                "http://secret@proxy:80/path",
                "http://secret@proxy/?secret",
                "http://secret@2001:db8::1:80",
                "http://secret@[2001:db8::1",
                "http://secret@[proxy]:80",
                "http://secret@pro xy:80",
                "http://secret@pro\nxy:80",
            })
    void nonsense_isRefused_withoutQuotingIt(String url) {
        assertThatThrownBy(() -> ProxyUrl.parse(url))
                .isInstanceOf(IllegalArgumentException.class)
                .message()
                .doesNotContain("secret", "%zz");
    }
}
