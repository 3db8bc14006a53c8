package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.SettingsStore.Edit;
import dev.longshore.config.SettingsStore.Why;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

class SettingsStoreTest {
    @TempDir
    private Path directory;

    private Path user;
    private Path admin;
    private SettingsStore store;

    @BeforeEach
    void create() {
        user = directory.resolve("settings.json");
        admin = directory.resolve("admin-settings.json");
        store = new SettingsStore(new SettingsFiles(user, admin));
    }

    @Test
    void set_withoutAFile_makesOneForTheOwnerOnly() throws IOException {
        Edit.Done done = done(store.set("portBindingBehavior", "local-only-port-binding"));

        assertThat(done.changed()).containsExactly(SettingTable.PORT_BINDING);
        assertThat(user).hasContent("{\n  \"portBindingBehavior\": \"local-only-port-binding\"\n}\n");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(user)))
                .isEqualTo("rw-------");
        assertThat(directory.toFile().list()).containsExactlyInAnyOrder("settings.json", "settings.lock");
    }

    @Test
    void set_keepsUnknownKeysCommentsAndTheNameThatIsThere() throws IOException {
        Files.writeString(user, "{\n  // mine\n  \"Future\": [1, 2.5],\n  \"network\": {\"mtu\": 1500}\n}\n");

        done(store.set("VpnKitMTU", "9000"));

        assertThat(user).hasContent("{\n  // mine\n  \"Future\": [1, 2.5],\n  \"network\": {\"mtu\": 9000}\n}\n");
    }

    @Test
    void set_twice_isTheSameAsOnce() throws IOException {
        done(store.set("cpus", "2"));
        Object key = Files.readAttributes(user, "unix:ino").get("ino");

        assertThat(done(store.set("cpus", "2")).changed()).isEmpty();
        assertThat(Files.readAttributes(user, "unix:ino").get("ino")).isEqualTo(key);
        assertThat(done(store.unset("vm.cpus")).changed()).containsExactly(SettingTable.CPUS);
        assertThat(done(store.unset("cpus")).changed()).isEmpty();
        assertThat(user).hasContent("{\n}\n");
    }

    @Test
    void everyDefault_set_isAcceptedAndReadBack() {
        for (Setting<?> s : SettingTable.ALL) {
            assertThat(store.set(s.key(), typed(s))).as(s.key()).isInstanceOf(Edit.Done.class);
        }
        SettingsResult read = store.read();
        assertThat(((SettingsResult.Usable) read).settings()).isEqualTo(Settings.DEFAULTS);
        assertThat(((SettingsResult.Usable) read).effective().entries())
                .allMatch(e -> e.source() == EffectiveSettings.Source.USER);
    }

    private static <T> String typed(Setting<T> setting) {
        Object json = setting.type().written(setting.fallback());
        return switch (json) {
            case List<?> list ->
                String.join(",", list.stream().map(Object::toString).toList());
            case Map<?, ?> object -> new JsonMapper().writeValueAsString(object);
            default -> json.toString();
        };
    }

    @Test
    void lists_areTypedWithCommasOrAsJson() throws IOException {
        done(store.set("network.dnsServers", "[\"10.0.0.1\", \"fd00::1\"]"));
        done(store.set("proxy.exclude", "localhost, *.corp"));
        done(store.set("dnsInhibition", "\"none\""));
        done(store.set("vpnKitAllowedBindAddresses", "127.0.0.1, 0:0::1"));

        assertThat(Files.readString(user))
                .contains(
                        "\"dnsInhibition\": \"none\"",
                        "[\"10.0.0.1\",\"fd00::1\"]",
                        "[\"localhost\",\"*.corp\"]",
                        "\"127.0.0.1,::1\"");
    }

    @Test
    void lockedSetting_isRefusedWithTheAdministratorsFile() throws IOException {
        Files.writeString(
                admin, "{\"portBindingBehavior\": {\"locked\": true, \"value\": \"local-only-port-binding\"}}");

        for (Edit edit : List.of(
                store.set("portBindingBehavior", "default-port-binding"),
                store.set("ports.binding", "local-only-port-binding"),
                store.unset("PortBindingBehavior"))) {
            assertThat(edit).isInstanceOfSatisfying(Edit.Refused.class, r -> {
                assertThat(r.why()).isEqualTo(Why.LOCKED);
                assertThat(r.text()).contains(admin.toString());
            });
        }
        assertThat(user).doesNotExist();
    }

    @Test
    void lockedSetting_isRefusedEvenInAFileWithOtherProblems() throws IOException {
        Files.writeString(admin, "{\"cpus\": {\"locked\": true, \"value\": 1}}");
        Files.writeString(user, "{\"vpnKitMTU\": 1}");

        assertThat(why(store.set("cpus", "2"))).isEqualTo(Why.LOCKED);
        assertThat(user).hasContent("{\"vpnKitMTU\": 1}");
    }

    @Test
    void settingThatDoesNotGoWithALockedOne_isRefusedWithTheAdministratorsFile() throws IOException {
        Files.writeString(admin, "{\"dnsInhibition\": {\"locked\": true, \"value\": \"ipv6\"}}");

        assertThat(why(store.set("defaultNetworkingMode", "ipv4only"))).isEqualTo(Why.LOCKED);
    }

    @Test
    void malformedFile_isNeverWritten() throws IOException {
        Files.writeString(user, "{\"cpus\": 2,,}");

        Edit edit = store.set("cpus", "3");

        assertThat(why(edit)).isEqualTo(Why.FILE);
        assertThat(((Edit.Refused) edit).text()).contains("line 1, column 12");
        assertThat(user).hasContent("{\"cpus\": 2,,}");
    }

    @Test
    void brokenAdminFile_refusesEveryChange() throws IOException {
        Files.writeString(admin, "{");

        assertThat(why(store.set("cpus", "3"))).isEqualTo(Why.FILE);
    }

    @Test
    void badValuesAndNames_areRefused() {
        assertThat(why(store.set("cpus", "many"))).isEqualTo(Why.BAD_VALUE);
        assertThat(why(store.set("cpus", ""))).isEqualTo(Why.BAD_VALUE);
        assertThat(why(store.set("vpnkitCIDR", "10.0.0.0/8"))).isEqualTo(Why.BAD_VALUE);
        assertThat(why(store.set("useLibkrun", "true"))).isEqualTo(Why.BAD_VALUE);
        assertThat(why(store.set("exposeDockerAPIOnTCP2375", "true"))).isEqualTo(Why.BAD_VALUE);
        assertThat(why(store.set("proxy.http", "http://u:***@h"))).isEqualTo(Why.BAD_VALUE);
        assertThat(store.set("cpu", "1"))
                .isEqualTo(new Edit.Refused(Why.UNKNOWN_KEY, "there is no setting cpu; did you mean cpus?"));
        assertThat(user).doesNotExist();
    }

    @Test
    void dockerVmm_isAcceptedOnceThereIsMemory_andTheMemoryStays() {
        done(store.set("memoryMiB", "4096"));
        done(store.set("useLibkrun", "true"));

        assertThat(why(store.set("memoryMiB", "2048"))).isEqualTo(Why.BAD_VALUE);
        assertThat(why(store.unset("memoryMiB"))).isEqualTo(Why.BAD_VALUE);
    }

    @Test
    void otherNetworkingMode_resetsTheDnsFilter() throws IOException {
        done(store.set("dnsInhibition", "none"));
        assertThat(done(store.set("defaultNetworkingMode", "dual-stack")).notes())
                .isEmpty();

        Edit.Done done = done(store.set("defaultNetworkingMode", "ipv4only"));

        assertThat(done.notes()).singleElement().asString().contains("dnsInhibition was reset to auto");
        assertThat(done.changed()).containsExactly(SettingTable.NETWORKING_MODE, SettingTable.DNS_FILTER);
        assertThat(Files.readString(user)).doesNotContain("dnsInhibition");
        assertThat(why(store.set("dnsInhibition", "ipv6"))).isEqualTo(Why.BAD_VALUE);
    }

    @Test
    void networkingMode_replacesDockerDesktopsOtherForm() throws IOException {
        Files.writeString(user, "{\"IPv4Only\": true, \"IPv6Only\": false}");

        done(store.set("defaultNetworkingMode", "dual-stack"));

        assertThat(((SettingsResult.Usable) store.read()).settings().network().mode())
                .isEqualTo(NetworkingMode.DUAL_STACK);
        assertThat(Files.readString(user)).doesNotContain("Only");
    }

    @Test
    void badSettings_canBeRepairedOneByOne() throws IOException {
        Files.writeString(user, "{\"cpus\": \"many\", \"vpnKitMTU\": 1}");

        assertThat(why(store.set("memoryMiB", "1"))).isEqualTo(Why.BAD_VALUE);
        Edit.Done first = done(store.set("cpus", "2"));
        assertThat(first.effective()).isNull();
        assertThat(first.notes()).singleElement().asString().contains("vpnKitMTU");
        assertThat(done(store.unset("vpnKitMTU")).effective()).isNotNull();
        assertThat(user).hasContent("{\"cpus\": 2}");
    }

    @Test
    void link_staysALink_andAByteOrderMarkStays() throws IOException {
        Path real = Files.write(directory.resolve("dotfiles.json"), "\uFEFF{}".getBytes(StandardCharsets.UTF_8));
        Files.createSymbolicLink(user, real);

        done(store.set("cpus", "2"));

        assertThat(Files.isSymbolicLink(user)).isTrue();
        assertThat(Files.readString(real)).isEqualTo("\uFEFF{\n  \"cpus\": 2\n}");
    }

    @Test
    void changesAtTheSameTime_areAllKept() throws Exception {
        List<Setting<?>> numbers = List.of(
                SettingTable.TCP_FLOWS, SettingTable.UDP_FLOWS, SettingTable.PUBLISHED_PORTS, SettingTable.LOG_MIB);
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Callable<Edit>> edits = IntStream.range(0, 40)
                    .<Callable<Edit>>mapToObj(i -> () -> new SettingsStore(new SettingsFiles(user, admin))
                            .set(numbers.get(i % 4).key(), String.valueOf(100 + i)))
                    .toList();
            for (Future<Edit> edit : threads.invokeAll(edits)) {
                done(edit.get());
            }
        }
        Settings.Limits limits =
                ((SettingsResult.Usable) store.read()).settings().limits();
        assertThat(List.of(limits.tcpFlows(), limits.udpFlows(), limits.publishedPorts(), limits.logMiB()))
                .allMatch(n -> n >= 100 && n < 140);
    }

    @Test
    void refusals_quoteNoSecret() {
        assertThat(((Edit.Refused) store.set("proxy.http", "http://u:hunter2@h/x")).text())
                .doesNotContain("hunter2");
        assertThat(((Edit.Refused) store.set("proxy.embeddedPac", "hunter2")).text())
                .doesNotContain("hunter2");
        Edit.Done done = done(store.set("proxy.http", "http://u:hunter2@h"));
        assertThat(done.toString()).doesNotContain("hunter2");
        EffectiveSettings effective = Objects.requireNonNull(done.effective());
        assertThat(effective.entry(SettingTable.PROXY_HTTP).shown()).isEqualTo("http://u:***@h");
    }

    private static Why why(Edit edit) {
        assertThat(edit).as("%s", edit).isInstanceOf(Edit.Refused.class);
        return ((Edit.Refused) edit).why();
    }

    private static Edit.Done done(Edit edit) {
        assertThat(edit).as("%s", edit).isInstanceOf(Edit.Done.class);
        return (Edit.Done) edit;
    }
}
