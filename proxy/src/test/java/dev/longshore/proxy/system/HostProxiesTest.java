package dev.longshore.proxy.system;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.route.ProxyConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class HostProxiesTest {
    @TempDir
    private Path home;

    private final FakeHost host = new FakeHost();

    private final class FakeHost implements HostProxies.Host {
        private final Map<String, String> environment = new HashMap<>();
        private final List<String> commands = new ArrayList<>();
        private String system = "Linux";
        private volatile @Nullable String output = "";

        @Override
        public Map<String, String> environment() {
            return environment;
        }

        @Override
        public String system() {
            return system;
        }

        @Override
        public Path home() {
            return home;
        }

        @Override
        public @Nullable String output(List<String> command) {
            synchronized (commands) {
                commands.add(String.join(" ", command));
            }
            return output;
        }
    }

    private ProxyConfig current() {
        try (HostProxies proxies = new HostProxies(host)) {
            return proxies.current();
        }
    }

    @Test
    void environment_countsBeforeDesktops() {
        host.environment.putAll(Map.of("https_proxy", "a:1", "XDG_CURRENT_DESKTOP", "GNOME"));
        assertThat(current().source()).isEqualTo("environment (https_proxy)");
        assertThat(host.commands).isEmpty();
    }

    @Test
    void desktop_isAsked_whereThereIsOne() {
        host.environment.put("XDG_CURRENT_DESKTOP", "ubuntu:GNOME");
        host.output = """
                org.gnome.system.proxy mode 'auto'
                org.gnome.system.proxy autoconfig-url 'http://pac/x'
                """;
        assertThat(current()).isInstanceOf(ProxyConfig.Script.class);
        assertThat(host.commands).containsExactly("gsettings list-recursively org.gnome.system.proxy");
        host.output = null;
        assertThat(current()).isEqualTo(new ProxyConfig.None("GNOME's settings: gsettings did not answer"));
    }

    /** A busy host, a bus that hangs: that nobody says which proxy there is does not mean that there is none. */
    @Test
    void systemThatDoesNotAnswer_isWhatItWas() throws IOException, InterruptedException {
        host.environment.put("XDG_CURRENT_DESKTOP", "GNOME");
        host.output = "org.gnome.system.proxy mode 'auto'\norg.gnome.system.proxy autoconfig-url 'http://pac/x'\n";
        BlockingQueue<ProxyConfig> seen = new LinkedBlockingQueue<>();
        try (HostProxies proxies = new HostProxies(host)) {
            proxies.onChange(() -> seen.add(proxies.current()));
            host.output = null;
            Files.createDirectories(home.resolve(".config/dconf"));
            Files.writeString(home.resolve(".config/dconf/user"), "x");
            while (asked() < 2) {
                Thread.onSpinWait();
            }
            host.output = "org.gnome.system.proxy mode 'none'\n";
            Files.writeString(home.resolve(".config/dconf/user"), "another");
            assertThat(seen.poll(30, TimeUnit.SECONDS)).isEqualTo(new ProxyConfig.None("GNOME's settings"));
            assertThat(seen).as("only then").isEmpty();
            assertThat(asked()).isEqualTo(3);
        }
    }

    private int asked() {
        synchronized (host.commands) {
            return host.commands.size();
        }
    }

    @Test
    void withoutDesktop_nothingIsAsked() {
        assertThat(current()).isEqualTo(new ProxyConfig.None("environment"));
        host.environment.put("XDG_CURRENT_DESKTOP", "sway");
        assertThat(current()).isEqualTo(new ProxyConfig.None("environment"));
        assertThat(host.commands).isEmpty();
    }

    @Test
    void otherSystems_areAskedTheirWay() {
        host.system = "Mac OS X";
        host.output = "<dictionary> {\n  HTTPEnable : 1\n  HTTPProxy : a\n  HTTPPort : 1\n}\n";
        assertThat(current().source()).isEqualTo("macOS's settings");
        host.system = "Windows 11";
        host.output = "    ProxyEnable    REG_DWORD    0x1\n    ProxyServer    REG_SZ    a:1\n";
        assertThat(current().source()).isEqualTo("Windows' settings");
        assertThat(host.commands.getFirst()).isEqualTo("scutil --proxy");
        assertThat(host.commands.getLast()).startsWith("reg query HKCU");
    }

    @Test
    void fileThatChanges_isFollowed() throws IOException, InterruptedException {
        host.environment.put("XDG_CURRENT_DESKTOP", "KDE");
        Path file = home.resolve(".config/kioslaverc");
        BlockingQueue<ProxyConfig> seen = new LinkedBlockingQueue<>();
        try (HostProxies proxies = new HostProxies(host)) {
            proxies.onChange(() -> seen.add(proxies.current()));
            assertThat(proxies.current()).isEqualTo(new ProxyConfig.None("KDE's settings"));
            Files.createDirectories(home.resolve(".config"));
            Files.writeString(file, "[Proxy Settings]\nProxyType=1\nhttpProxy=http://a 1\n");
            assertThat(seen.poll(30, TimeUnit.SECONDS)).isInstanceOf(ProxyConfig.Fixed.class);
            Files.delete(file);
            assertThat(seen.poll(30, TimeUnit.SECONDS)).isEqualTo(new ProxyConfig.None("KDE's settings"));
        }
    }

    @Test
    void realHost_runsPrograms() {
        RealHost real = new RealHost();
        assertThat(real.output(List.of("echo", "hello"))).isEqualTo("hello\n");
        assertThat(real.output(List.of("false"))).isNull();
        assertThat(real.output(List.of("/no/such/program"))).isNull();
    }
}
