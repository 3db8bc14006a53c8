package dev.longshore.proxy.system;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyConfig;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The desktops' settings as recorded from them: GNOME 3.38's gsettings; KDE, macOS and Windows from their documents. */
class DesktopsTest {
    private static ProxyConfig.Fixed fixed(@Nullable ProxyConfig config) {
        assertThat(config).isInstanceOf(ProxyConfig.Fixed.class);
        return (ProxyConfig.Fixed) Objects.requireNonNull(config);
    }

    private static void isScript(@Nullable ProxyConfig config, String url, String shown) {
        assertThat(config).isInstanceOfSatisfying(ProxyConfig.Script.class, s -> {
            assertThat(s.location().url()).isEqualTo(url);
            assertThat(s.location()).hasToString(shown);
            assertThat(s.closed()).isEqualTo(ProxyConfig.Closed.OPEN);
        });
    }

    private static void isWpad(@Nullable ProxyConfig config) {
        assertThat(config).isInstanceOfSatisfying(ProxyConfig.Script.class, s -> assertThat(s.location())
                .isEqualTo(ProxyConfig.Location.WPAD));
    }

    // ---- GNOME

    private static final String GNOME = """
            org.gnome.system.proxy autoconfig-url ''
            org.gnome.system.proxy ignore-hosts ['localhost', '127.0.0.0/8', '::1', '*.corp']
            org.gnome.system.proxy mode 'manual'
            org.gnome.system.proxy use-same-proxy true
            org.gnome.system.proxy.ftp host ''
            org.gnome.system.proxy.ftp port 0
            org.gnome.system.proxy.http authentication-password 'p"w'
            org.gnome.system.proxy.http authentication-user "o'neil"
            org.gnome.system.proxy.http enabled false
            org.gnome.system.proxy.http host 'proxy.example'
            org.gnome.system.proxy.http port 3128
            org.gnome.system.proxy.http use-authentication true
            org.gnome.system.proxy.https host ''
            org.gnome.system.proxy.https port 0
            org.gnome.system.proxy.socks host 'socks.example'
            org.gnome.system.proxy.socks port 1080
            """;

    @Test
    void gnome_manual() {
        ProxyConfig.Fixed f = fixed(Gnome.read(GNOME));
        assertThat(String.valueOf(f.plain())).isEqualTo("http://proxy.example:3128");
        assertThat(Objects.requireNonNull(f.plain()).login()).isEqualTo(new ProxyAddress.Login("o'neil", "p\"w"));
        assertThat(String.valueOf(f.tunnel())).isEqualTo("socks5://socks.example:1080");
        assertThat(f.exclude().entries()).containsExactly("localhost", "127.0.0.0/8", "::1", "*.corp");
        assertThat(f.toString()).doesNotContain("p\"w");
    }

    @Test
    void gnome_autoAndNone() {
        String auto = GNOME.replace("'manual'", "'auto'");
        isScript(
                Gnome.read(auto.replace("autoconfig-url ''", "autoconfig-url 'http://u:secret@pac/x.pac?k=secret'")),
                "http://u:secret@pac/x.pac?k=secret",
                "http://***@pac/x.pac?***");
        assertThat(Gnome.read(auto)).satisfies(DesktopsTest::isWpad);
        assertThat(Gnome.read(GNOME.replace("'manual'", "'none'"))).isNull();
        assertThat(Gnome.read("")).isNull();
        assertThat(Gnome.read("No such schema")).isNull();
    }

    @Test
    void gnome_urlAsHost_andIpv6() {
        assertThat(String.valueOf(fixed(Gnome.read(GNOME.replace("'proxy.example'", "'http://proxy.example/'")))
                        .plain()))
                .isEqualTo("http://proxy.example:3128");
        assertThat(String.valueOf(fixed(Gnome.read(GNOME.replace("'proxy.example'", "'2001:db8::1'")))
                        .plain()))
                .isEqualTo("http://[2001:db8::1]:3128");
        assertThat(Gnome.read(GNOME.replace("'proxy.example'", "'pro xy'")))
                .isInstanceOfSatisfying(
                        ProxyConfig.Unusable.class, u -> assertThat(u.reason()).contains("GNOME", "http has no host"));
    }

    // ---- KDE

    @Test
    void kde_manual_withItsBlank() {
        ProxyConfig.Fixed f = fixed(Kde.read("""
                PersistentProxyConnection=false
                [Proxy Settings]
                ProxyType=1
                httpProxy=http://proxy.example 3128
                httpsProxy=http://proxy.example:3129/
                ftpProxy=ftp://
                socksProxy=socks://socks.example 1080
                NoProxyFor=localhost,.corp 10.0.0.0/8
                ReversedException=false

                [Other]
                ProxyType=0
                """, Map.of()));
        assertThat(String.valueOf(f.plain())).isEqualTo("http://proxy.example:3128");
        assertThat(String.valueOf(f.tunnel())).isEqualTo("http://proxy.example:3129");
        assertThat(f.exclude().entries()).containsExactly("localhost", ".corp", "10.0.0.0/8");
        assertThat(f.only()).isFalse();
    }

    @Test
    void kde_reversedList_andSocksForTheRest() {
        ProxyConfig.Fixed f = fixed(Kde.read("""
                [Proxy Settings][$i]
                ProxyType[$i]=1
                ReversedException=true
                httpProxy=http://
                socksProxy=socks.example 9
                NoProxyFor=only.example
                """, Map.of()));
        assertThat(f.only()).isTrue();
        assertThat(String.valueOf(f.plain())).isEqualTo("socks5://socks.example:9");
    }

    @Test
    void kde_script_mayBeAPath() {
        isScript(
                Kde.read("[Proxy Settings]\nProxyType=2\nProxy Config Script=/etc/pro xy.pac\n", Map.of()),
                "file:///etc/pro%20xy.pac",
                "file:///etc/pro%20xy.pac");
        isScript(
                Kde.read("[Proxy Settings]\nProxyType=2\nProxy Config Script=http://pac/x\n", Map.of()),
                "http://pac/x",
                "http://pac/x");
        assertThat(Kde.read("[Proxy Settings]\nProxyType=2\n", Map.of())).isNull();
    }

    @Test
    void kde_variables_areThoseThatItNames() {
        String file = "[Proxy Settings]\nProxyType=4\nhttpProxy=MY_PROXY\nhttpsProxy=OTHER\nNoProxyFor=MY_NO\n";
        ProxyConfig.Fixed f = fixed(Kde.read(file, Map.of("MY_PROXY", "http://a:1", "OTHER", "b:2", "MY_NO", "c,d")));
        assertThat(String.valueOf(f.plain())).isEqualTo("http://a:1");
        assertThat(String.valueOf(f.tunnel())).isEqualTo("http://b:2");
        assertThat(f.exclude().entries()).containsExactly("c", "d");
        assertThat(Kde.read(file, Map.of())).isNull();
    }

    @Test
    void kde_otherTypes() {
        assertThat(Kde.read("[Proxy Settings]\nProxyType=0\nhttpProxy=http://a 1\n", Map.of()))
                .isNull();
        assertThat(Kde.read("[Proxy Settings]\nProxyType=3\n", Map.of())).satisfies(DesktopsTest::isWpad);
        assertThat(Kde.read("", Map.of())).isNull();
        assertThat(Kde.read("[Proxy Settings]\nProxyType=1\nhttpProxy=http://a 1 2\n", Map.of()))
                .isInstanceOf(ProxyConfig.Unusable.class);
    }

    // ---- macOS

    private static final String SCUTIL = """
            <dictionary> {
              ExceptionsList : <array> {
                0 : *.local
                1 : 169.254/16
              }
              ExcludeSimpleHostnames : 1
              FTPPassive : 1
              HTTPEnable : 1
              HTTPPort : 3128
              HTTPProxy : proxy.example
              HTTPSEnable : 1
              HTTPSPort : 3129
              HTTPSProxy : 2001:db8::1
              ProxyAutoConfigEnable : 0
              SOCKSEnable : 0
              SOCKSProxy : socks.example
              __SCOPED__ : <dictionary> {
                en0 : <dictionary> {
                  HTTPProxy : other.example
                }
              }
            }
            """;

    @Test
    void macOs_manual() {
        ProxyConfig.Fixed f = fixed(Scutil.read(SCUTIL));
        assertThat(String.valueOf(f.plain())).isEqualTo("http://proxy.example:3128");
        assertThat(String.valueOf(f.tunnel())).isEqualTo("http://[2001:db8::1]:3129");
        assertThat(f.exclude().entries()).containsExactly("*.local", "169.254/16", "<local>");
    }

    @Test
    void macOs_scriptSocksAndNone() {
        isScript(
                Scutil.read(SCUTIL.replace(
                        "ProxyAutoConfigEnable : 0",
                        "ProxyAutoConfigEnable : 1\n" + "  ProxyAutoConfigURLString : http://pac/x")),
                "http://pac/x",
                "http://pac/x");
        String socks = SCUTIL.replace("HTTPEnable : 1", "HTTPEnable : 0")
                .replace("HTTPSEnable : 1", "HTTPSEnable : 0")
                .replace("SOCKSEnable : 0", "SOCKSEnable : 1");
        assertThat(String.valueOf(fixed(Scutil.read(socks)).plain())).isEqualTo("socks5://socks.example:1080");
        assertThat(Scutil.read("<dictionary> {\n  HTTPEnable : 0\n}\n")).isNull();
        assertThat(Scutil.read("<dictionary> {\n  ProxyAutoDiscoveryEnable : 1\n}\n"))
                .satisfies(DesktopsTest::isWpad);
    }

    // ---- Windows

    private static final String REGISTRY = """

            HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings
                User Agent    REG_SZ    Mozilla/4.0
                ProxyEnable    REG_DWORD    0x1
                ProxyServer    REG_SZ    http=a.example:1;https=b.example:2;socks=c.example:3
                ProxyOverride    REG_SZ    *.corp;10.*;<local>

            """;

    @Test
    void windows_manual() {
        ProxyConfig.Fixed f = fixed(Windows.read(REGISTRY));
        assertThat(String.valueOf(f.plain())).isEqualTo("http://a.example:1");
        assertThat(String.valueOf(f.tunnel())).isEqualTo("http://b.example:2");
        assertThat(f.exclude().entries()).containsExactly("*.corp", "10.*", "<local>");
        ProxyConfig.Fixed one = fixed(Windows.read(REGISTRY.replaceFirst("http=\\S+", "proxy.example:8080")));
        assertThat(String.valueOf(one.plain())).isEqualTo("http://proxy.example:8080");
        assertThat(one.tunnel()).isEqualTo(one.plain());
    }

    @Test
    void windows_offNoneAndScript() {
        assertThat(Windows.read(REGISTRY.replace("0x1", "0x0"))).isNull();
        assertThat(Windows.read(REGISTRY.replaceFirst("http=\\S+", "none"))).isNull();
        assertThat(Windows.read(REGISTRY.replaceFirst("http=\\S+", "http://none")))
                .isNull();
        assertThat(Windows.read("")).isNull();
        isScript(
                Windows.read(REGISTRY + "    AutoConfigURL    REG_SZ    http://pac/x\n"),
                "http://pac/x",
                "http://pac/x");
        assertThat(Windows.read(REGISTRY.replaceFirst("http=\\S+", "a:b:c"))).isInstanceOf(ProxyConfig.Unusable.class);
    }

    @Test
    void gnome_longTexts_areRead() {
        String url = "data:," + "x".repeat(100_000) + "\\'";
        ProxyConfig read =
                Gnome.read("org.gnome.system.proxy mode 'auto'\norg.gnome.system.proxy autoconfig-url '" + url + "'\n");
        assertThat(read).isInstanceOf(ProxyConfig.Script.class);
        assertThat(((ProxyConfig.Script) java.util.Objects.requireNonNull(read))
                        .location()
                        .url())
                .hasSize(100_007);
    }
}
