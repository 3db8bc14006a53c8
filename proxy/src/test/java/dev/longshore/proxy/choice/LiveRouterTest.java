package dev.longshore.proxy.choice;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.Settings;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsResult;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.pac.PacFile;
import dev.longshore.proxy.pac.PacResult;
import dev.longshore.proxy.route.ExclusionList;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyConfig;
import dev.longshore.proxy.route.ProxyUrl;
import dev.longshore.proxy.route.RouteExplanation;
import dev.longshore.proxy.route.RouteQuery;
import dev.longshore.proxy.system.SystemProxies;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LiveRouterTest {
    @TempDir
    private Path files;

    private final HostSystem system = new HostSystem();
    private final List<Script> scripts = new ArrayList<>();
    private PacResult said = new PacResult.Said("", List.of());
    private final LiveRouter router = new LiveRouter(
            new OwnAddresses(
                    Set.of(IpAddress.parse("192.168.65.254")),
                    Set.of("host.containers.internal"),
                    List.of(new OwnAddresses.Subnet(IpAddress.parse("192.168.65.0"), 24))),
            system,
            location -> {
                Script made = new Script(location);
                scripts.add(made);
                return made;
            });

    /** The host's, as the test says. */
    private static final class HostSystem implements SystemProxies {
        private ProxyConfig config = new ProxyConfig.None("environment");
        private Runnable listener = () -> {};
        private boolean closed;

        void become(ProxyConfig next) {
            config = next;
            listener.run();
        }

        @Override
        public ProxyConfig current() {
            return config;
        }

        @Override
        public void onChange(Runnable l) {
            listener = l;
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    /** Says what the test says. */
    private final class Script implements PacFile {
        private final ProxyConfig.Location location;
        private boolean closed;

        Script(ProxyConfig.Location location) {
            this.location = location;
        }

        @Override
        public CompletionStage<PacResult> find(boolean plain, String host, int port) {
            return CompletableFuture.completedStage(said);
        }

        @Override
        public String state() {
            return "state";
        }

        @Override
        public String problem() {
            return said instanceof PacResult.Failed f ? f.reason() : "";
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    @AfterEach
    void close() {
        router.close();
        assertThat(system.closed).isTrue();
        assertThat(scripts).allMatch(s -> s.closed);
    }

    private void settings(String user) throws IOException {
        settings(user, "");
    }

    private void settings(String user, String admin) throws IOException {
        Path u = Files.writeString(files.resolve("user.json"), user.isEmpty() ? "{}" : user);
        Path a = files.resolve("admin.json");
        if (!admin.isEmpty()) {
            Files.writeString(a, admin);
        }
        SettingsResult read = new SettingsFiles(u, a).read();
        assertThat(read).isInstanceOf(SettingsResult.Usable.class);
        Settings s = ((SettingsResult.Usable) read).settings();
        router.set(s.proxy(), s.containersProxy());
    }

    private RouteExplanation ask(boolean plain, String host, int port) {
        return router.explain(new RouteQuery(plain, host, port, null))
                .toCompletableFuture()
                .join();
    }

    private String way(boolean plain, String host) {
        return ask(plain, host, plain ? 80 : 443).decision().hops().toString();
    }

    private static ProxyConfig.Fixed fixed(String proxy, String exclude) {
        return new ProxyConfig.Fixed(
                "environment (https_proxy)",
                ProxyUrl.parse(proxy),
                ProxyUrl.parse(proxy),
                ExclusionList.parse(exclude),
                false,
                "no_proxy",
                null);
    }

    @Test
    void withoutSettings_theSystemCounts_live() throws IOException {
        settings("");
        assertThat(way(false, "a.example")).isEqualTo("[DIRECT]");
        system.become(fixed("http://u:secret@sys:3128", "*.corp"));
        assertThat(way(false, "a.example")).isEqualTo("[http://sys:3128]");
        RouteExplanation excluded = ask(true, "x.corp", 80);
        assertThat(excluded.decision().hops()).containsExactly(new Hop.Direct());
        assertThat(excluded.rule()).isEqualTo("*.corp");
        assertThat(excluded.source()).isEqualTo("proxy.mode is system: environment (https_proxy)");
        assertThat(router.show().toString()).doesNotContain("secret");
        system.become(new ProxyConfig.None("environment"));
        assertThat(way(false, "a.example")).isEqualTo("[DIRECT]");
    }

    @Test
    void manual_hasAProxyForEachKind() throws IOException {
        settings("""
                {"proxy": {"mode": "manual", "http": "http://u:p@one:1", "https": "socks5h://two:2",
                 "exclude": ["*.corp", "10.0.0.0/8"]}}""");
        assertThat(way(true, "a.example")).isEqualTo("[http://one:1]");
        assertThat(way(false, "a.example")).isEqualTo("[socks5://two:2]");
        assertThat(way(false, "a.corp")).isEqualTo("[DIRECT]");
        assertThat(way(false, "10.1.1.1")).isEqualTo("[DIRECT]");
        assertThat(ask(false, "a.corp", 443).decision().because()).isEqualTo("excluded by proxy.exclude: *.corp");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "docker.internal",
                "host.docker.internal",
                "no-such.docker.internal",
                "host.containers.internal",
                "localhost",
                "a.localhost",
                "127.0.0.1",
                "127.9.9.9",
                "::1",
                "192.168.65.1",
                "192.168.65.254"
            })
    void whatIsOurs_isAlwaysDirect(String host) throws IOException {
        settings("{\"containersProxy\": {\"mode\": \"manual\", \"transparentPorts\": \"*\"}}");
        assertThat(way(true, host)).isEqualTo("[DIRECT]");
        assertThat(ask(true, host, 80).rule()).isNotEmpty();
    }

    @Test
    void containersProxy_counts_whereItHasAModeOfItsOwn() throws IOException {
        settings("""
                {"proxy": {"mode": "manual", "http": "one:1", "https": "one:1"},
                 "containersProxy": {"mode": "", "http": "two:2"}}""");
        assertThat(way(false, "a.example")).isEqualTo("[http://one:1]");
        settings("""
                {"proxy": {"mode": "manual", "http": "one:1", "https": "one:1"},
                 "containersProxy": {"mode": "none", "http": "two:2"}}""");
        assertThat(way(false, "a.example")).isEqualTo("[DIRECT]");
        settings("""
                {"proxy": {"mode": "none"}, "containersProxy": {"mode": "manual", "http": "two:2", "https": "two:2"}}""");
        assertThat(way(false, "a.example")).isEqualTo("[http://two:2]");
        system.become(fixed("sys:1", ""));
        settings("{\"proxy\": {\"mode\": \"none\"}, \"containersProxy\": {\"mode\": \"system\"}}");
        assertThat(way(false, "a.example")).isEqualTo("[http://sys:1]");
    }

    @Test
    void manualContainersWithoutProxy_areBlocked_butForTheList() throws IOException {
        settings("""
                {"containersProxy": {"mode": "manual", "transparentPorts": "*", "exclude": ["*.allowed.example"]}}""");
        assertThat(way(false, "a.example")).startsWith("[blocked: containersProxy.mode is manual");
        assertThat(way(true, "x.allowed.example")).isEqualTo("[DIRECT]");
        settings("{\"containersProxy\": {\"mode\": \"manual\", \"http\": \"one:1\"}}");
        assertThat(way(false, "a.example")).isEqualTo("[DIRECT]");
        settings("{\"containersProxy\": {\"mode\": \"manual\", \"http\": \"one:1\", \"transparentPorts\": \"*\"}}");
        assertThat(way(false, "a.example")).startsWith("[blocked: ");
        settings("{\"proxy\": {\"mode\": \"manual\"}}");
        assertThat(way(false, "a.example")).isEqualTo("[DIRECT]");
    }

    @Test
    void scripts_countBeforeProxies_andTheEmbeddedOneFirst() throws IOException {
        said = new PacResult.Said(
                "PROXY pac:1; DIRECT", List.of(new Hop.Through(ProxyUrl.parse("pac:1")), new Hop.Direct()));
        settings("""
                {"proxy": {"mode": "manual", "http": "one:1", "pac": "http://u:secret@pac/x?token",
                 "embeddedPac": "function FindProxyForURL() {}"}}""");
        assertThat(scripts.getLast().location.text()).isEqualTo("function FindProxyForURL() {}");
        assertThat(way(false, "a.example")).isEqualTo("[http://pac:1, DIRECT]");
        settings("{\"proxy\": {\"mode\": \"manual\", \"http\": \"one:1\", \"pac\": \"http://u:secret@pac/x?token\"}}");
        assertThat(scripts).hasSize(2).first().matches(s -> s.closed);
        assertThat(scripts.getLast().location.url()).isEqualTo("http://u:secret@pac/x?token");
        RouteExplanation e = ask(false, "a.example", 443);
        assertThat(e.script()).isEqualTo("PROXY pac:1; DIRECT");
        assertThat(e.toString() + router.show()).doesNotContain("secret", "token");
    }

    @Test
    void sameScript_isKept_whenOtherSettingsChange() throws IOException {
        settings("{\"proxy\": {\"mode\": \"manual\", \"pac\": \"http://pac/x\"}}");
        settings("{\"proxy\": {\"mode\": \"manual\", \"pac\": \"http://pac/x\", \"http\": \"a:1\"}}");
        assertThat(scripts).hasSize(1).first().matches(s -> !s.closed);
    }

    @Test
    void scriptThatCantBeHad_blocks_unlessItIsTheSystems() throws IOException {
        said = new PacResult.Failed("its server answers 404");
        settings("{\"proxy\": {\"mode\": \"manual\", \"pac\": \"http://pac/x\"}}");
        assertThat(way(false, "a.example")).isEqualTo("[blocked: proxy.pac http://pac/x: its server answers 404]");
        system.become(new ProxyConfig.Script(
                "GNOME", new ProxyConfig.Location("http://sys/x", "", "http://sys/x"), ProxyConfig.Closed.OPEN));
        settings("");
        assertThat(way(false, "a.example")).isEqualTo("[DIRECT]");
        settings("", "{\"configurationFileVersion\": 2, \"proxy\": {\"locked\": true, \"mode\": \"system\"}}");
        assertThat(way(false, "a.example")).startsWith("[blocked: ");
    }

    /** Whoever answers to "wpad" would decide: only where the user says so. */
    @Test
    void networksOwnScript_isLookedForOnlyIfThatIsWanted() throws IOException {
        said = new PacResult.Said("PROXY p:1", List.of(new Hop.Through(ProxyUrl.parse("http://p:1"))));
        system.become(new ProxyConfig.Script("GNOME", ProxyConfig.Location.WPAD, ProxyConfig.Closed.OPEN));
        settings("");
        assertThat(way(false, "a.example")).isEqualTo("[DIRECT]");
        assertThat(router.show().config().source()).contains("GNOME", "WPAD", "proxy.autoDetect");
        assertThat(scripts).isEmpty();

        settings("{\"proxy\": {\"autoDetect\": true}}");
        assertThat(way(false, "a.example")).isEqualTo("[http://p:1]");
        assertThat(router.show().config().source()).contains("GNOME");
        settings("{\"proxy\": {\"autoDetect\": false}}");
        assertThat(way(false, "a.example")).isEqualTo("[DIRECT]");
    }

    @Test
    void scriptThatCantBeHad_isTold() throws IOException {
        said = new PacResult.Failed("its server answers 404");
        settings("{\"proxy\": {\"mode\": \"manual\", \"pac\": \"http://pac/x\"}}");
        assertThat(router.notes())
                .containsExactly(
                        "proxy.pac http://pac/x: its server answers 404 (without a script everything is blocked)");
    }

    @Test
    void scriptThatSaysNothing_isDirect_unlessLocked() throws IOException {
        said = new PacResult.Said("nonsense", List.of());
        settings("{\"containersProxy\": {\"mode\": \"manual\", \"pac\": \"http://pac/x\"}}");
        assertThat(way(false, "a.example")).isEqualTo("[DIRECT]");
        settings(
                "",
                "{\"configurationFileVersion\": 2, \"containersProxy\": {\"locked\": true, \"mode\": \"manual\","
                        + " \"pac\": \"http://pac/x\"}}");
        assertThat(way(false, "a.example")).startsWith("[blocked: containersProxy.pac http://pac/x returned nonsense");
        assertThat(ask(false, "a.example", 443).source()).contains("locked by an administrator");
    }

    @Test
    void unusableSystem_blocks() throws IOException {
        system.become(new ProxyConfig.Unusable("environment", "HTTPS_PROXY has a path"));
        settings("");
        assertThat(way(false, "a.example")).isEqualTo("[blocked: HTTPS_PROXY has a path]");
        assertThat(router.notes()).containsExactly("everything is blocked: HTTPS_PROXY has a path");
    }

    @Test
    void reversedList_isAllThatGoesThroughTheProxy() throws IOException {
        system.become(new ProxyConfig.Fixed(
                "KDE",
                ProxyUrl.parse("kde:1"),
                ProxyUrl.parse("kde:1"),
                ExclusionList.parse("only.example"),
                true,
                "NoProxyFor",
                null));
        settings("");
        assertThat(way(false, "a.example")).isEqualTo("[DIRECT]");
        assertThat(way(false, "only.example")).isEqualTo("[http://kde:1]");
    }
}
