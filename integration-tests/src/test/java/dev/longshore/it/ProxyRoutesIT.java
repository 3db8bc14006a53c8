package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Which way requests go, as the running product says it while its settings change. */
@Order(33)
@ExtendWith(SharedProduct.class)
class ProxyRoutesIT {
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final int DENIED = 3;

    private final Product product;
    private String settings = "";

    @TempDir
    private Path files;

    ProxyRoutesIT(Product product) {
        this.product = product;
    }

    @BeforeEach
    void keepSettings() throws IOException {
        settings = Files.readString(product.home().resolve("settings.json"));
    }

    @AfterEach
    void restore() {
        product.settings(settings);
        Await.until("the way of before", SOON, () -> explain("https://a.example")
                .startsWith("tunnel to a.example:443: direct"));
    }

    private String explain(String url) {
        return product.longshore("proxy", "explain", url).run().out();
    }

    private void set(String key, String value) {
        product.longshore("settings", "set", key, value).run().expectOk();
    }

    @Test
    void manualProxies_setLive_areTheWay() {
        set("containersProxy.mode", "manual");
        Command.Result blocked =
                product.longshore("proxy", "explain", "https://a.example").run().expectExit(DENIED);
        assertThat(blocked.out())
                .contains("tunnel to a.example:443: blocked", "containersProxy.mode is manual, and no proxy is set");

        set("containersProxy.http", "http://bob:s3cret@proxy.example:3128");
        set("containersProxy.https", "socks5h://proxy.example");
        set("containersProxy.exclude", "*.corp,10.0.0.0/8");
        assertThat(explain("http://a.example/x")).startsWith("http://a.example:80: http://proxy.example:3128\n");
        assertThat(explain("https://a.example")).startsWith("tunnel to a.example:443: socks5://proxy.example:1080\n");
        assertThat(explain("https://db.corp"))
                .startsWith("tunnel to db.corp:443: direct\n")
                .contains("excluded by containersProxy.exclude: *.corp");
        assertThat(explain("10.1.2.3:22")).startsWith("tunnel to 10.1.2.3:22: direct\n");
        assertThat(explain("https://http.docker.internal")).contains(": direct\n", "*.docker.internal");

        String shown = product.longshore("proxy", "show").run().expectOk().out();
        assertThat(shown).contains("containersProxy.mode is manual", "http://proxy.example:3128", "*.corp, 10.0.0.0/8");
        String json = product.longshore("proxy", "show", "--format", "json")
                .run()
                .expectOk()
                .out();
        String status = product.longshore("status").run().out();
        assertThat(status).contains("proxy        http http://proxy.example:3128, https socks5://proxy.example:1080");
        assertThat(shown + json + status).doesNotContain("s3cret", "bob");
    }

    @Test
    void script_decides_andFollowsItsFile() throws IOException {
        Path pac = Files.writeString(files.resolve("proxy.pac"), """
                function FindProxyForURL(url, host) {
                    if (shExpMatch(host, "*.corp")) return "DIRECT";
                    if (dnsDomainIs(host, ".evil")) return "PROXY reject.docker.internal:1";
                    if (host == "loop.example") while (true) {}
                    return "PROXY " + url.substring(0, 5) + ".example:8080; DIRECT";
                }
                """);
        set("proxy.mode", "manual");
        set("proxy.pac", pac.toUri().toString());

        assertThat(explain("https://a.example"))
                .startsWith("tunnel to a.example:443: http://https.example:8080, then direct\n")
                .contains("PROXY https.example:8080; DIRECT");
        assertThat(explain("https://a.corp")).startsWith("tunnel to a.corp:443: direct\n");
        assertThat(product.longshore("proxy", "explain", "http://a.evil")
                        .run()
                        .expectExit(DENIED)
                        .out())
                .contains("blocked", "reject.docker.internal");
        assertThat(explain("https://loop.example")).contains("blocked", "it did not end in time");
        assertThat(explain("https://a.corp")).startsWith("tunnel to a.corp:443: direct\n");

        Files.writeString(pac, "function FindProxyForURL(url, host) { return 'SOCKS5 new.example:1080'; }");
        Await.until("the new script", SOON, () -> explain("https://a.example").contains("socks5://new.example:1080\n"));

        Files.delete(pac);
        Await.until("that it is gone", SOON, () -> product.longshore("status")
                .run()
                .out()
                .contains("there is no such file; the one from before counts"));
        assertThat(explain("https://a.example")).contains("socks5://new.example:1080\n");
    }

    @Test
    void scriptThatCantBeHad_blocks_andDiagnoseSaysSo() {
        set("proxy.mode", "manual");
        set("proxy.pac", "http://bob:s3cret@127.0.0.1:9/proxy.pac?token=s3cret");

        Command.Result explained =
                product.longshore("proxy", "explain", "https://a.example").run().expectExit(DENIED);
        assertThat(explained.out()).contains("blocked", "it can't be had");
        String diagnosed = product.longshore("diagnose").run().out();
        assertThat(diagnosed).contains("without a script everything is blocked");
        assertThat(explained.out() + diagnosed).doesNotContain("s3cret");
    }
}
