package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The user's file alone. */
class SettingsFilesTest {
    @TempDir
    private Path directory;

    @Test
    void emptyObject_read_isTheDefaults() {
        assertThat(usable("{}").settings()).isEqualTo(Settings.DEFAULTS);
    }

    @Test
    void missingFiles_read_areTheDefaults() {
        SettingsResult.Usable read = (SettingsResult.Usable) files().read();

        assertThat(read.settings()).isEqualTo(Settings.DEFAULTS);
        assertThat(read.warnings()).isEmpty();
        assertThat(read.effective().entries())
                .allMatch(e -> e.source() == EffectiveSettings.Source.DEFAULT && !e.locked());
    }

    @Test
    void keysOfOurOwn_read_areTaken() throws Exception {
        Settings settings = usable("""
                        {
                          // comments are allowed
                          "vm": {"kind": "uml", "cpus": 2, "memoryMiB": 512, "diskSizeMiB": 2048, "umlSeccomp": true},
                          "network": {
                            "subnet": "10.9.0.0/16", "moveSubnet": false, "mtu": 9000, "ping": false,
                            "dnsServers": ["10.1.1.1", "fd00::1"], "dnsRoutes": ["Corp.Example=10.1.1.2:53"], "pcapFile": "/tmp/a.pcap", "ipv6": "off",
                          },
                          "ports": {"binding": "local-only-port-binding"},
                          "limits": {"tcpFlows": 100, "udpFlows": 101, "publishedPorts": 102, "logMiB": 3},
                        }
                        """).settings();

        assertThat(settings.vm()).isEqualTo(new Settings.Vm(VmKind.UML, 2, 512, 0, 2048, true));
        assertThat(settings.network())
                .isEqualTo(new Settings.Network(
                        Ipv4Subnet.parse("10.9.0.0/16"),
                        false,
                        9000,
                        List.of(InetAddress.ofLiteral("10.1.1.1"), InetAddress.ofLiteral("fd00::1")),
                        List.of(DomainServer.parse("corp.example=10.1.1.2")),
                        false,
                        "/tmp/a.pcap",
                        Ipv6Mode.OFF,
                        NetworkingMode.DUAL_STACK,
                        DnsFilter.AUTO));
        assertThat(settings.ports().binding()).isEqualTo(PortBinding.LOCAL_ONLY_PORT_BINDING);
        assertThat(settings.limits()).isEqualTo(new Settings.Limits(100, 101, 102, 3));
    }

    @Test
    void keysOfDockerDesktop_read_areTaken_withSmallAndCapitalFirstLetters() throws Exception {
        String capital = """
                {
                  "Cpus": 2, "MemoryMiB": 4096, "SwapMiB": 512, "DiskSizeMiB": 2048, "UseLibkrun": true,
                  "VpnkitCIDR": "10.9.0.0/16", "VpnKitMTU": 9000, "IPv4Only": true, "IPv6Only": false,
                  "PortBindingBehavior": "default-local-port-binding", "VpnKitAllowedBindAddresses": "127.0.0.1,::1",
                  "ProxyHTTPMode": "manual", "OverrideProxyHTTP": "http://u:p@proxy:3128", "OverrideProxyHTTPS": "proxy:3129",
                  "OverrideProxyExclude": "localhost, *.corp", "OverrideProxyPAC": "http://pac/x",
                  "ProxyEnableKerberosNTLM": true,
                  "ContainersProxyHTTPMode": "system", "ContainersOverrideProxyHTTP": "socks5://s:1080",
                  "ContainersOverrideProxyTransparentPorts": "80,8080",
                  "UseContainerdSnapshotter": true, "HostNetworkingEnabled": true, "FilesharingDirectories": ["/a/../b"]
                }
                """;
        Settings settings = usable(capital).settings();

        assertThat(settings.vm()).isEqualTo(new Settings.Vm(VmKind.AUTO, 2, 4096, 512, 2048, false));
        assertThat(settings.network().subnet()).isEqualTo(Ipv4Subnet.parse("10.9.0.0/16"));
        assertThat(settings.network().mtu()).isEqualTo(9000);
        assertThat(settings.network().mode()).isEqualTo(NetworkingMode.IPV4ONLY);
        assertThat(settings.ports())
                .isEqualTo(new Settings.Ports(
                        PortBinding.DEFAULT_LOCAL_PORT_BINDING,
                        List.of(InetAddress.ofLiteral("127.0.0.1"), InetAddress.ofLiteral("::1"))));
        assertThat(settings.proxy())
                .isEqualTo(new Settings.Proxy(
                        ProxyMode.MANUAL,
                        Secret.url("http://u:p@proxy:3128"),
                        Secret.url("proxy:3129"),
                        List.of("localhost", "*.corp"),
                        Secret.url("http://pac/x"),
                        Secret.EMPTY,
                        new Settings.ProxyLogin(true, ProxyScheme.AUTO, "", false),
                        new Settings.ProxyAudit(false, 1),
                        true,
                        false,
                        0,
                        false));
        assertThat(settings.containersProxy().mode()).isEqualTo(ProxyMode.SYSTEM);
        assertThat(settings.containersProxy().transparentPorts()).isEqualTo("80,8080");
        assertThat(settings.engine()).isEqualTo(new Settings.EngineSettings(true, true));
        assertThat(settings.fileSharing().directories()).containsExactly(Path.of("/b"));

        StringBuilder small = new StringBuilder(capital);
        for (int i = small.indexOf("\""); i >= 0; i = small.indexOf("\"", i + 1)) {
            boolean key = small.charAt(i + 1) >= 'A' && small.charAt(i + 1) <= 'Z';
            small.setCharAt(i + 1, key ? Character.toLowerCase(small.charAt(i + 1)) : small.charAt(i + 1));
        }
        assertThat(usable(small.toString()).settings()).isEqualTo(settings);
    }

    @Test
    void proxysWays_read_areTyped() {
        Settings.Proxy proxy = usable("""
            {"proxy": {"authScheme": "digest", "kerberosKeytab": "svc@R.TEST=/k", "passAuthorization": true,
                       "via": false, "tunnelIdleMinutes": 90, "autoDetect": true, "auditLog": true, "auditSample": 100}}
            """).settings().proxy();

        assertThat(proxy.login()).isEqualTo(new Settings.ProxyLogin(false, ProxyScheme.DIGEST, "svc@R.TEST=/k", true));
        assertThat(proxy.audit()).isEqualTo(new Settings.ProxyAudit(true, 100));
        assertThat(proxy.via()).isFalse();
        assertThat(proxy.tunnelIdleMinutes()).isEqualTo(90);
        assertThat(proxy.autoDetect()).isTrue();
        for (String bad : List.of("svc", "svc@R", "=/k", "svc=k", "s vc=/k")) {
            assertThatThrownBy(() -> ProxyValues.keytab(bad)).hasMessageContaining("PRINCIPAL=FILE");
        }
    }

    @Test
    void proxyAsAnObject_read_isTheSameAsWithFlatKeys() {
        Settings settings = usable("""
                        {"proxy": {"mode": "manual", "http": "http://proxy:1", "exclude": ["a", "b"],
                                   "embeddedPac": "function FindProxyForURL(u, h) { return 'DIRECT'; }"},
                         "containersProxy": {"mode": "", "transparentPorts": "*"}}
                        """).settings();

        assertThat(settings.proxy().http().reveal()).isEqualTo("http://proxy:1");
        assertThat(settings.proxy().exclude()).containsExactly("a", "b");
        assertThat(settings.proxy().embeddedPac().reveal()).startsWith("function");
        assertThat(settings.containersProxy().mode()).isEqualTo(ProxyMode.LIKE_HOST);
        assertThat(settings.containersProxy().transparentPorts()).isEqualTo("*");
    }

    @Test
    void sharedFolders_haveTheirVariablesReplaced() {
        assertThat(usable("{\"filesharingAllowedDirectories\": [\"$HOME/src\", \"$TMP\", \"/data\"]}")
                        .settings()
                        .fileSharing()
                        .directories())
                .containsExactly(
                        Path.of(SharedPaths.ofUser(System.getenv()).getOrDefault("$HOME", "/none"), "src"),
                        Path.of(System.getProperty("java.io.tmpdir")),
                        Path.of("/data"));
        assertThat(refused("{\"filesharingDirectories\": [\"src\"]}")).hasSize(1);
        assertThat(refused("{\"filesharingDirectories\": [\"$HOMEWORK\"]}")).hasSize(1);
    }

    @Test
    void homeOfTheEnvironment_countsForTheUserAlone() {
        Map<String, String> environment = Map.of("HOME", "/elsewhere");
        assertThat(SharedPaths.expand("$HOME/src", SharedPaths.ofUser(environment)))
                .isEqualTo(Path.of("/elsewhere/src"));
        assertThat(SharedPaths.ofUser(Map.of("HOME", "relative"))).isEqualTo(SharedPaths.ofSystem());
        assertThat(SharedPaths.ofSystem()).containsEntry("$HOME", System.getProperty("user.home"));
    }

    @Test
    void accessorFolders_areExpanded_andEventsAreOn() {
        Settings.FileSharing sharing = usable("{\"filesharingAccessorDirectories\": [\"/data/mine\", \"$TMP/x/..\"]}")
                .settings()
                .fileSharing();
        assertThat(sharing.accessorDirectories())
                .containsExactly(Path.of("/data/mine"), Path.of(System.getProperty("java.io.tmpdir")));
        assertThat(sharing.events()).isTrue();
        assertThat(usable("{\"filesharingEvents\": false}")
                        .settings()
                        .fileSharing()
                        .events())
                .isFalse();
    }

    @Test
    void ipv6On_withAnMtuThatHasNoRoomForIt_isRefused() {
        List<Problem> problems = refused("{\"network\": {\"mtu\": 1279, \"ipv6\": \"on\"}}");
        assertThat(problems).hasSize(1);
        assertThat(problems.getFirst().toString()).contains("ipv6", "1280");
        assertThat(usable("{\"network\": {\"mtu\": 1279}}").settings().network().ipv6())
                .isEqualTo(Ipv6Mode.AUTO);
        assertThat(refused("{\"defaultNetworkingMode\": \"ipv6only\", \"vpnKitMTU\": 1279}"))
                .hasSize(1);
        assertThat(refused("{\"defaultNetworkingMode\": \"ipv6only\", \"network\": {\"ipv6\": \"off\"}}"))
                .hasSize(1);
    }

    @Test
    void dnsFilterOfOneFamily_outsideDualStack_isRefused() {
        assertThat(refused("{\"defaultNetworkingMode\": \"ipv4only\", \"dnsInhibition\": \"ipv6\"}"))
                .singleElement()
                .extracting(Problem::toString)
                .asString()
                .contains("dnsInhibition", "dual-stack");
        assertThat(usable("{\"defaultNetworkingMode\": \"ipv4only\", \"dnsInhibition\": \"none\"}")
                        .settings()
                        .network()
                        .dnsFilter())
                .isEqualTo(DnsFilter.NONE);
    }

    @Test
    void dockerVmm_withLessThan4Gb_isRefused() {
        assertThat(refused("{\"useLibkrun\": true, \"memoryMiB\": 4095}"))
                .singleElement()
                .extracting(Problem::toString)
                .asString()
                .contains("useLibkrun", "4096", "4095");
        assertThat(usable("{\"useLibkrun\": true, \"memoryMiB\": 4096}").warnings())
                .singleElement()
                .extracting(Problem::text)
                .asString()
                .startsWith("accepted, has no effect yet");
    }

    @Test
    void severalProblems_read_areToldTogetherWithTheirPlaces() {
        List<Problem> problems = refused("""
                {
                  "vm": {"kind": "vmware", "memoryMiB": 1},
                  "network": {
                    "subnet": "192.168.65.1/24",
                    "mtu": "large",
                    "dnsServers": ["8.8.8.8", "dns.example"]
                  },
                  "ports": 3
                }
                """);

        assertThat(problems)
                .extracting(Problem::inFile)
                .containsExactlyInAnyOrder(
                        "line 2, column 18: vm.kind: must be one of auto, uml, qemu",
                        "line 2, column 41: vm.memoryMiB: must be a whole number from 256 to 262144",
                        "line 4, column 15: network.subnet: address bits are set outside the prefix /24",
                        "line 5, column 12: network.mtu: must be a whole number from 576 to 65520",
                        "line 6, column 19: network.dnsServers: must be a list of IP addresses",
                        "line 8, column 12: ports: must be an object {…}");
        assertThat(problems).allMatch(p -> p.toString().startsWith(user() + ": line "));
    }

    @Test
    void unknownKeys_read_areWarnedOfWithAHint() {
        List<Problem> warnings = usable("""
                        {"vm": {"memoryMib": 512, "colour": "red"},
                         "future": {}, "vm2": 1, "portBindingBehaviour": "x"}
                        """).warnings();

        assertThat(warnings)
                .extracting(Problem::inFile)
                .containsExactly(
                        "line 1, column 22: vm.memoryMib: unknown key, ignored; did you mean memoryMiB?",
                        "line 1, column 37: vm.colour: unknown key, ignored",
                        "line 2, column 12: future: unknown key, ignored",
                        "line 2, column 23: vm2: unknown key, ignored; did you mean vm?",
                        "line 2, column 50: portBindingBehaviour: unknown key, ignored; did you mean portBindingBehavior?");
    }

    @Test
    void keysOfDockerDesktopWithoutMeaningHere_areWarnedOfInOneLine() {
        assertThat(usable("{\"ThemeSource\": \"dark\", \"settingsVersion\": 42, \"NetworkType\": \"gvisor\"}")
                        .warnings())
                .singleElement()
                .extracting(Problem::inFile)
                .asString()
                .endsWith(": ThemeSource, settingsVersion, NetworkType");
    }

    @Test
    void keyGivenTwice_read_isWarnedOf() {
        SettingsResult.Usable result = usable("{\"vm\": {\"cpus\": 1, \"cpus\": 2}}");

        assertThat(result.settings().vm().cpus()).isEqualTo(2);
        assertThat(result.warnings()).extracting(Problem::text).containsExactly("given twice; the last counts");
    }

    @Test
    void settingGivenUnderTwoNames_isRefusedUnlessTheyAgree() {
        assertThat(usable("{\"Cpus\": 2, \"vm\": {\"cpus\": 2}}").warnings())
                .extracting(Problem::text)
                .containsExactly("is the same setting as Cpus");
        assertThat(refused("{\"Cpus\": 2, \"vm\": {\"cpus\": 3}}"))
                .extracting(Problem::text)
                .containsExactly("is the same setting as Cpus, with another value");
        assertThat(refused("{\"IPv4Only\": true, \"IPv6Only\": true}")).hasSize(1);
        assertThat(usable("{\"IPv4Only\": false, \"IPv6Only\": false}")
                        .settings()
                        .network()
                        .mode())
                .isEqualTo(NetworkingMode.DUAL_STACK);
    }

    @Test
    void whatNothingActsOn_isSaid() {
        assertThat(usable("{\"swapMiB\": 2048}").warnings())
                .singleElement()
                .extracting(Problem::text)
                .asString()
                .startsWith("accepted, has no effect yet: ");
        assertThat(usable("{\"swapMiB\": 0}").warnings()).isEmpty();
        assertThat(usable("{\"exposeDockerAPIOnTCP2375\": true}").warnings())
                .singleElement()
                .extracting(Problem::text)
                .asString()
                .startsWith("not supported: ");
    }

    @Test
    void anAdministratorsFormInTheUsersFile_isExplained() {
        assertThat(refused("{\"portBindingBehavior\": {\"locked\": true, \"value\": \"default-port-binding\"}}"))
                .singleElement()
                .extracting(Problem::text)
                .asString()
                .contains("admin-settings.json");
    }

    @Test
    void malformedFile_read_isRefusedAndLeftAlone() throws IOException {
        Files.writeString(user(), "{\n  \"vm\": {\n");

        SettingsResult result = files().read();

        assertThat(result).isInstanceOf(SettingsResult.Refused.class);
        assertThat(((SettingsResult.Refused) result).problems().getFirst().inFile())
                .startsWith("line 3, column 1: not JSON: ")
                .doesNotContain("Source");
        assertThat(user()).hasContent("{\n  \"vm\": {\n");
    }

    @Test
    @Timeout(value = 5, unit = TimeUnit.SECONDS)
    void whatIsNoText_read_isRefusedAtOnce() throws Exception {
        Files.write(user(), new byte[] {'{', '\n', ' ', (byte) 0xFF, '}'});
        assertThat(((SettingsResult.Refused) files().read())
                        .problems()
                        .getFirst()
                        .inFile())
                .isEqualTo("line 2, column 2: is not UTF-8 text");

        Files.delete(user());
        Files.createDirectory(user());
        assertThat(files().read()).isInstanceOf(SettingsResult.Refused.class);

        Files.delete(user());
        assertThat(new ProcessBuilder("mkfifo", user().toString()).start().waitFor())
                .isZero();
        assertThat(files().read()).isInstanceOf(SettingsResult.Refused.class);

        Files.delete(user());
        Files.writeString(user(), " ".repeat((1 << 20) + 1));
        assertThat(files().read()).isInstanceOf(SettingsResult.Refused.class);
    }

    @Test
    void byteOrderMark_read_isLeftOut() throws IOException {
        Files.write(user(), "\uFEFF{\"cpus\": 3}".getBytes(StandardCharsets.UTF_8));

        assertThat(((SettingsResult.Usable) files().read()).settings().vm().cpus())
                .isEqualTo(3);
    }

    @Test
    void otherThanOneObject_read_isRefused() {
        assertThat(refused("")).hasSize(1);
        assertThat(refused("[]")).hasSize(1);
        assertThat(refused("{} {}")).hasSize(1);
        assertThat(refused("null")).hasSize(1);
        assertThat(refused("[".repeat(1000))).hasSize(1);
        assertThat(refused("{\"vm\": {\"cpus\": 99999999999999999999}}")).hasSize(1);
        assertThat(refused("{\"vm\": {\"cpus\": 1.5}}")).hasSize(1);
        assertThat(refused("{\"vm\": {\"cpus\": null}}")).hasSize(1);
        assertThat(refused("{\"network\": {\"subnet\": \"10.0.0.0/8\"}}")).hasSize(1);
    }

    @Test
    void secrets_areInNoText() {
        String password = "hunter2hunter2";
        for (String json : List.of(
                "{\"proxy\": {\"http\": " + password + "}}",
                "{\"proxy\": {\"http\": '" + password + "'}}",
                "{\"proxy\": {\"http\": \"http://u:" + password + "@host:3128/path\"}}",
                "{\"proxy\": {\"http\": \"http://u:" + password + "@ho st\"}}",
                "{\"proxy\": {\"http\": \"ftp://u:" + password + "@host\"}}",
                "{\"proxy\": {\"pac\": \"" + password + "\"}}",
                "{\"proxy\": {\"embeddedPac\": \"" + password + "\"}}",
                "{\"proxy\": {\"http\": \"http://u:" + password + "\n@host\"}}",
                "{\"overrideProxyHTTP\": \"http://a:" + password + "@h\", \"proxy\": {\"http\": \"http://b\"}}")) {
            assertThat(refused(json).toString()).as(json).doesNotContain(password);
        }
        SettingsResult.Usable usable = usable("{\"proxy\": {\"mode\": \"manual\", \"http\": \"http://u:" + password
                + "@host:3128\", \"pac\": \"https://" + password + "@pac/x?token=" + password
                + "\", \"embeddedPac\": \"function FindProxyForURL(u,h) { /* " + password + " */ }\"}}");
        assertThat(usable.settings().toString())
                .contains("http://u:***@host:3128")
                .doesNotContain(password);
        assertThat(usable.warnings().toString()).doesNotContain(password);
        assertThat(usable.effective().entries().stream()
                        .map(e -> e.shown().toString())
                        .toList()
                        .toString())
                .contains("http://u:***@host:3128", "https://***@pac/x?***")
                .doesNotContain(password);
    }

    @Test
    void anyDamage_read_neverThrows() {
        String whole =
                "{\"vm\": {\"kind\": \"uml\", \"cpus\": 2}, \"network\": {\"dnsServers\": [\"1.1.1.1\"], \"mtu\": 1500},"
                        + " \"proxy\": {\"http\": \"http://a:b@c:1\"}, \"VpnKitAllowedBindAddresses\": \"::1\"}";
        for (long seed = 0; seed < 3000; seed++) {
            Random random = new Random(seed);
            StringBuilder damaged = new StringBuilder(whole);
            for (int i = random.nextInt(4); i >= 0; i--) {
                int at = random.nextInt(damaged.length());
                switch (random.nextInt(3)) {
                    case 0 -> damaged.deleteCharAt(at);
                    case 1 -> damaged.setCharAt(at, (char) (32 + random.nextInt(96)));
                    default -> damaged.insert(at, "{}[],:\"0".charAt(random.nextInt(8)));
                }
            }
            assertThat(files().readWith(damaged.toString())).as("seed %s", seed).isNotNull();
        }
    }

    private Path user() {
        return directory.resolve("settings.json");
    }

    private SettingsFiles files() {
        return new SettingsFiles(user(), directory.resolve("admin-settings.json"));
    }

    private SettingsResult.Usable usable(String json) {
        SettingsResult result = files().readWith(json);
        assertThat(result).as("%s", result).isInstanceOf(SettingsResult.Usable.class);
        return (SettingsResult.Usable) result;
    }

    private List<Problem> refused(String json) {
        SettingsResult result = files().readWith(json);
        assertThat(result).as("%s", result).isInstanceOf(SettingsResult.Refused.class);
        return ((SettingsResult.Refused) result).problems();
    }
}
