package dev.longshore.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.config.EffectiveSettings;
import dev.longshore.config.SettingTable;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsResult;
import dev.longshore.proto.control.v1.GetSettingRequest;
import dev.longshore.proto.control.v1.ListSettingsReply;
import dev.longshore.proto.control.v1.ListSettingsRequest;
import dev.longshore.proto.control.v1.SetSettingReply;
import dev.longshore.proto.control.v1.SetSettingRequest;
import dev.longshore.proto.control.v1.Setting;
import dev.longshore.proto.control.v1.SettingEffect;
import dev.longshore.proto.control.v1.SettingSource;
import dev.longshore.proto.control.v1.SettingsServiceGrpc;
import dev.longshore.proto.control.v1.UnsetSettingRequest;
import dev.longshore.proto.control.v1.WatchSettingsReply;
import dev.longshore.proto.control.v1.WatchSettingsRequest;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.nio.file.Files;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** SettingsService over a real socket, with what real files say. */
@Timeout(30)
class SettingsServiceTest {
    private final FakeDaemon daemon = new FakeDaemon();

    @RegisterExtension
    private final RunningServer running = new RunningServer(daemon);

    private SettingsServiceGrpc.SettingsServiceBlockingStub stub() {
        return SettingsServiceGrpc.newBlockingStub(running.channel()).withDeadlineAfter(20, TimeUnit.SECONDS);
    }

    private SettingsControl.View view(String user, String admin, String... pending) throws Exception {
        SettingsFiles files = new SettingsFiles(
                running.directory().resolve("settings.json"),
                running.directory().resolve("admin-settings.json"));
        Files.writeString(files.user(), user);
        Files.writeString(files.admin(), admin);
        EffectiveSettings effective = ((SettingsResult.Usable) files.read()).effective();
        return new SettingsControl.View(effective, List.of(pending), List.of("a warning"), List.of("a problem"));
    }

    private static Code code(Throwable t) {
        return ((StatusRuntimeException) t).getStatus().getCode();
    }

    @Test
    void list_hasEverySettingWithItsSourceAndLock() throws Exception {
        daemon.settings = view(
                """
                {"vm": {"cpus": 2}, "proxy": {"http": "http://u:hunter2@p:1"}, "network": {"dnsServers": ["::1"]}}
                """, "{\"portBindingBehavior\": {\"locked\": true, \"value\": \"local-only-port-binding\"}}", "cpus");

        ListSettingsReply reply = stub().listSettings(ListSettingsRequest.getDefaultInstance());

        assertThat(reply.getSettingsCount()).isEqualTo(SettingTable.ALL.size());
        assertThat(reply.getWarningsList()).containsExactly("a warning");
        assertThat(reply.getProblemsList()).containsExactly("a problem");
        assertThat(reply.toString()).doesNotContain("hunter2");
        Setting cpus = find(reply, "cpus");
        assertThat(cpus.getValueJson()).isEqualTo("2");
        assertThat(cpus.getDefaultJson()).isEqualTo("0");
        assertThat(cpus.getSource()).isEqualTo(SettingSource.SETTING_SOURCE_USER);
        assertThat(cpus.getPending()).isTrue();
        assertThat(cpus.getEffect()).isEqualTo(SettingEffect.SETTING_EFFECT_GUEST_RESTART);
        assertThat(cpus.getOtherNamesList()).containsExactly("vm.cpus");
        Setting ports = find(reply, "portBindingBehavior");
        assertThat(ports.getValueJson()).isEqualTo("\"local-only-port-binding\"");
        assertThat(ports.getLocked()).isTrue();
        assertThat(ports.getLockedBy()).endsWith("admin-settings.json");
        assertThat(find(reply, "proxy.http").getValueJson()).isEqualTo("\"http://u:***@p:1\"");
        assertThat(find(reply, "network.dnsServers").getValueJson()).isEqualTo("[\"::1\"]");
    }

    private static Setting find(ListSettingsReply reply, String key) {
        return reply.getSettingsList().stream()
                .filter(s -> s.getKey().equals(key))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void get_takesAnyName_andSaysWhatWasMeant() throws Exception {
        daemon.settings = view("{}", "{}");

        assertThat(stub().getSetting(GetSettingRequest.newBuilder()
                                .setKey("VpnKitMTU")
                                .build())
                        .getSetting()
                        .getValueJson())
                .isEqualTo("1500");
        assertThatThrownBy(() -> stub().getSetting(GetSettingRequest.newBuilder()
                        .setKey("vpnKitMUT")
                        .build()))
                .hasMessageContaining("did you mean vpnKitMTU?")
                .satisfies(t -> assertThat(code(t)).isEqualTo(Code.NOT_FOUND));
    }

    @Test
    void noSettings_isAFailedPrecondition() {
        assertThatThrownBy(() -> stub().listSettings(ListSettingsRequest.getDefaultInstance()))
                .satisfies(t -> assertThat(code(t)).isEqualTo(Code.FAILED_PRECONDITION));
        assertThatThrownBy(() -> stub().watchSettings(WatchSettingsRequest.getDefaultInstance())
                        .next())
                .satisfies(t -> assertThat(code(t)).isEqualTo(Code.FAILED_PRECONDITION));
    }

    @Test
    void setAndUnset_passOnWhatTheyDid_orWhyNot() throws Exception {
        daemon.settings = view("{}", "{}");

        SetSettingReply reply = stub().setSetting(SetSettingRequest.newBuilder()
                .setKey("cpus")
                .setValue("2")
                .build());

        assertThat(daemon.calls).containsExactly("set cpus 2");
        assertThat(reply.getSetting().getKey()).isEqualTo("cpus");
        assertThat(reply.getAlsoChangedList()).extracting(Setting::getKey).containsExactly("dnsInhibition");
        assertThat(reply.getNotesList()).containsExactly("a note");
        assertThatThrownBy(() -> stub().unsetSetting(UnsetSettingRequest.newBuilder()
                        .setKey("locked")
                        .build()))
                .hasMessageContaining("locked by /admin.json")
                .satisfies(t -> assertThat(code(t)).isEqualTo(Code.PERMISSION_DENIED));
    }

    @Test
    void watch_tellsAllFirst_thenWhatHasChanged() throws Exception {
        daemon.settings = view("{}", "{}");
        Iterator<WatchSettingsReply> replies = stub().watchSettings(WatchSettingsRequest.getDefaultInstance());
        assertThat(replies.next().getSettingsCount()).isEqualTo(SettingTable.ALL.size());

        daemon.settingsAre(view("{\"cpus\": 3}", "{}"));

        WatchSettingsReply changed = replies.next();
        assertThat(changed.getSettingsList()).extracting(Setting::getKey).containsExactly("cpus");
        assertThat(changed.getWarningsList()).containsExactly("a warning");
    }

    @Test
    void watcherThatGoesAway_isForgotten() throws Exception {
        daemon.settings = view("{}", "{}");
        for (int i = 0; i < 40; i++) { // more than may watch at a time
            Iterator<WatchSettingsReply> replies = stub().watchSettings(WatchSettingsRequest.getDefaultInstance());
            if (i >= 16) {
                assertThatThrownBy(replies::next)
                        .satisfies(t -> assertThat(code(t)).isEqualTo(Code.RESOURCE_EXHAUSTED));
                break;
            }
            assertThat(replies.next().getSettingsCount()).isPositive();
        }
        running.channel().shutdownNow();
        assertThat(running.channel().awaitTermination(10, TimeUnit.SECONDS)).isTrue();
        while (!daemon.settingsWakes.isEmpty()) {
            Thread.onSpinWait();
        }
    }
}
