package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.EffectiveSettings.Source;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Both files together. */
class AdminSettingsTest {
    @TempDir
    private Path directory;

    private SettingsFiles files;

    @BeforeEach
    void create() {
        files = new SettingsFiles(directory.resolve("settings.json"), directory.resolve("admin-settings.json"));
    }

    @Test
    void lock_winsOverTheUser_andTheUsersValueIsWarnedOf() {
        EffectiveSettings both = usable("""
                {"portBindingBehavior": {"locked": true, "value": "local-only-port-binding"}}
                """, "{\"PortBindingBehavior\": \"default-port-binding\", \"cpus\": 2}");

        assertThat(both.settings().ports().binding()).isEqualTo(PortBinding.LOCAL_ONLY_PORT_BINDING);
        assertThat(both.entry(SettingTable.PORT_BINDING))
                .extracting(EffectiveSettings.Entry::source, EffectiveSettings.Entry::locked)
                .containsExactly(Source.ADMIN, true);
        assertThat(both.warnings())
                .singleElement()
                .extracting(Problem::inFile)
                .isEqualTo("line 1, column 25: PortBindingBehavior: ignored: locked by " + files.admin());
        assertThat(both.settings().vm().cpus()).isEqualTo(2);
    }

    @Test
    void lock_winsEvenIfTheUsersValueIsNonsense() {
        assertThat(usable("{\"cpus\": {\"locked\": true, \"value\": 1}}", "{\"cpus\": \"many\"}")
                        .settings()
                        .vm()
                        .cpus())
                .isEqualTo(1);
    }

    @Test
    void suggestion_countsOnlyWhereTheUserSaysNothing() {
        String admin = "{\"vpnKitMTU\": {\"locked\": false, \"value\": 9000}}";

        EffectiveSettings suggested = usable(admin, "{}");
        assertThat(suggested.settings().network().mtu()).isEqualTo(9000);
        assertThat(suggested.entry(SettingTable.MTU))
                .extracting(EffectiveSettings.Entry::source, EffectiveSettings.Entry::locked)
                .containsExactly(Source.ADMIN, false);

        EffectiveSettings customised = usable(admin, "{\"network\": {\"mtu\": 1500}}");
        assertThat(customised.settings().network().mtu()).isEqualTo(1500);
        assertThat(customised.entry(SettingTable.MTU).source()).isEqualTo(Source.USER);
    }

    @Test
    void dockerDesktopsOwnForms_areUnderstood() {
        EffectiveSettings all = usable("""
                \uFEFF{
                  "configurationFileVersion": 2,
                  "proxy": {"locked": true, "mode": "manual", "http": "http://p:1", "https": "http://p:2",
                            "exclude": ["localhost"], "windowsDockerdPort": 65000, "enableKerberosNtlm": false,
                            "pac": "", "embeddedPac": ""},
                  "containersProxy": {"locked": false, "mode": "manual", "http": "", "https": "", "exclude": [],
                                      "pac": "", "embeddedPac": "", "transparentPorts": "443"},
                  "linuxVM": {"wslEngineEnabled": {"locked": false, "value": false},
                              "dockerDaemonOptions": {"locked": false, "value": "{}"},
                              "vpnkitCIDR": {"locked": true, "value": "10.1.0.0/16"}},
                  "defaultNetworkingMode": {"locked": true, "value": "dual-stack"},
                  "dnsInhibition": {"locked": true, "value": "ipv6"},
                  "portBindingBehavior": {"locked": true, "value": "default-local-port-binding"},
                  "filesharingAllowedDirectories": [{"path": "$HOME", "sharedByDefault": true}, {"path": "$TMP"}],
                  "exposeDockerAPIOnTCP2375": {"locked": true, "value": false},
                  "kubernetes": {"locked": false, "enabled": false}, "disableUpdate": {"locked": true, "value": true},
                  "enhancedContainerIsolation": {"locked": true, "value": true}
                }
                """, "{}");

        Settings settings = all.settings();
        assertThat(settings.proxy().http().reveal()).isEqualTo("http://p:1");
        assertThat(settings.containersProxy().transparentPorts()).isEqualTo("443");
        assertThat(settings.network().subnet()).isEqualTo(Ipv4Subnet.parse("10.1.0.0/16"));
        assertThat(settings.network().dnsFilter()).isEqualTo(DnsFilter.IPV6);
        assertThat(settings.fileSharing().directories()).containsExactly(Path.of(System.getProperty("user.home")));
        assertThat(all.warnings())
                .extracting(Problem::text)
                .contains("keys of Docker Desktop that nothing here obeys: proxy.windowsDockerdPort,"
                        + " linuxVM.wslEngineEnabled, linuxVM.dockerDaemonOptions, kubernetes, disableUpdate,"
                        + " enhancedContainerIsolation");
    }

    @Test
    void missingVersion_isFine_andANewerOneIsWarnedOf() {
        assertThat(usable("{}", "{}").warnings()).isEmpty();
        assertThat(usable("{\"configurationFileVersion\": 3}", "{}").warnings()).hasSize(1);
        assertThat(refused("{\"configurationFileVersion\": \"two\"}", "{}")).hasSize(1);
    }

    @Test
    void lockedGroup_locksWhatItDoesNotGiveAtTheDefault() {
        EffectiveSettings both =
                usable("{\"proxy\": {\"locked\": true, \"mode\": \"manual\", \"http\": \"http://p:1\"}}", """
                {"overrideProxyExclude": "evil.example", "proxy": {"https": "http://mine:1"},
                 "containersProxy": {"exclude": ["free"]}}
                """);

        assertThat(both.settings().proxy().exclude()).isEmpty();
        assertThat(both.settings().proxy().https().isEmpty()).isTrue();
        assertThat(both.settings().containersProxy().exclude()).containsExactly("free");
        assertThat(both.isLocked(SettingTable.PROXY_EXCLUDE)).isTrue();
        assertThat(both.isLocked(SettingTable.CONTAINERS_PROXY_EXCLUDE)).isFalse();
    }

    @Test
    void lockThatCannotBeUnderstood_isNeverADefault() {
        String[][] cases = {
            {"{\"cpus\": {\"locked\": true}}", "cpus.value: is missing"},
            {"{\"cpus\": {\"locked\": true, \"value\": null}}", "cpus: must be a whole number"},
            {"{\"cpus\": {\"locked\": true, \"value\": 65}}", "cpus: must be a whole number"},
            {"{\"cpus\": {\"locked\": \"yes\", \"value\": 1}}", "cpus.locked: must be true or false"},
            {"{\"cpus\": {\"value\": 1}}", "cpus.locked: must be true or false"},
            {"{\"cpus\": 1}", "cpus: must be {\"locked\": true or false, \"value\": …}"},
            {"{\"linuxVM\": {\"vpnkitCIDR\": {\"locked\": true}}}", "linuxVM.vpnkitCIDR.value: is missing"},
            {"{\"linuxVM\": true}", "linuxVM: must be an object"},
            {"{\"proxy\": {\"locked\": true}}", "proxy.mode: is missing"},
            {"{\"proxy\": {\"mode\": \"manual\"}}", "proxy.locked: must be true or false"},
            {"{\"proxy\": {\"locked\": true, \"mode\": \"maybe\"}}", "proxy.mode: must be one of"},
            {
                "{\"overrideProxyHTTP\": {\"locked\": true, \"value\": \"http://p\"}}",
                "overrideProxyHTTP: is locked together with its group"
            },
            {
                "{\"exposeDockerAPIOnTCP2375\": {\"locked\": true, \"value\": true}}",
                "exposeDockerAPIOnTCP2375: can't be locked to this"
            },
            {"{\"filesharingAllowedDirectories\": {\"path\": \"/a\"}}", "filesharingAllowedDirectories: must be a list"
            },
            {"{\"filesharingAllowedDirectories\": [{\"path\": \"a\"}]}", "filesharingAllowedDirectories.path: must be"},
            {
                "{\"cpus\": {\"locked\": true, \"value\": 1}, \"vm\": {\"cpus\": {\"locked\": true, \"value\": 2}}}",
                "vm.cpus"
            },
            {"{\"cpus\": {", "not JSON"},
        };
        for (String[] c : cases) {
            assertThat(refused(c[0], "{}"))
                    .as(c[0])
                    .singleElement()
                    .satisfies(p -> assertThat(p.inFile()).contains(c[1]))
                    .satisfies(p -> assertThat(p.file()).isEqualTo(files.admin()));
        }
    }

    @Test
    void adminFileThatCannotBeRead_isRefused() throws IOException {
        Files.createDirectory(files.admin());

        assertThat(files.read()).isInstanceOf(SettingsResult.Refused.class);
    }

    @Test
    void settingsThatDoNotGoTogether_areBlamedOnTheOneThatIsNotLocked() {
        assertThat(refused("{\"dnsInhibition\": {\"locked\": true, \"value\": \"ipv6\"}}", """
                        {"defaultNetworkingMode": "ipv4only"}
                        """))
                .singleElement()
                .satisfies(p -> assertThat(p.toString())
                        .startsWith(files.user() + ": line 1")
                        .contains("defaultNetworkingMode", "dnsInhibition is locked by " + files.admin()));
    }

    @Test
    void lockedMode_resetsAFilterThatDoesNotGoWithIt() {
        EffectiveSettings both = usable(
                "{\"defaultNetworkingMode\": {\"locked\": true, \"value\": \"ipv4only\"}}",
                "{\"dnsInhibition\": \"ipv6\"}");

        assertThat(both.settings().network().dnsFilter()).isEqualTo(DnsFilter.AUTO);
        assertThat(both.warnings()).singleElement().satisfies(w -> assertThat(w.text())
                .endsWith("reset to auto"));
    }

    @Test
    void allowedFolders_boundWhatTheUserShares() {
        String admin =
                "{\"filesharingAllowedDirectories\": [{\"path\": \"/a\", \"sharedByDefault\": true}, {\"path\": \"/b\"}]}";

        assertThat(usable(admin, "{}").settings().fileSharing().directories()).containsExactly(Path.of("/a"));
        EffectiveSettings wider =
                usable(admin, "{\"filesharingDirectories\": [\"/b/src\", \"/bb\", \"/b/../etc\", \"/\"]}");
        assertThat(wider.settings().fileSharing().directories()).containsExactly(Path.of("/b/src"));
        assertThat(wider.warnings())
                .extracting(Problem::text)
                .filteredOn(t -> t.contains("is left out"))
                .hasSize(3);
    }

    private EffectiveSettings usable(String admin, String user) {
        SettingsResult result = read(admin, user);
        assertThat(result).as("%s", result).isInstanceOf(SettingsResult.Usable.class);
        return ((SettingsResult.Usable) result).effective();
    }

    private List<Problem> refused(String admin, String user) {
        SettingsResult result = read(admin, user);
        assertThat(result).as(admin).isInstanceOf(SettingsResult.Refused.class);
        return ((SettingsResult.Refused) result).problems();
    }

    private SettingsResult read(String admin, String user) {
        try {
            Files.writeString(files.admin(), admin);
            Files.writeString(files.user(), user);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return files.read();
    }
}
