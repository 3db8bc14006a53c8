package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.config.EgressPolicy;
import dev.longshore.config.PortBinding;
import dev.longshore.config.ProxyMode;
import dev.longshore.config.Settings;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsStore;
import dev.longshore.control.Events;
import dev.longshore.control.Outcome;
import dev.longshore.control.SettingsControl;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Real files and the real watch; what is waited for is told, never timed. */
@Timeout(60)
class LiveSettingsTest {
    @TempDir
    private Path directory;

    private final List<Events.What> events = new CopyOnWriteArrayList<>();
    private final BlockingQueue<Settings> obeyed = new LinkedBlockingQueue<>();
    private Path user;
    private Path admin;
    private LiveSettings live;

    @BeforeEach
    void create() {
        user = directory.resolve("settings.json");
        admin = directory.resolve("admin-settings.json");
        live = new LiveSettings(new SettingsStore(new SettingsFiles(user, admin)), events::add);
    }

    @AfterEach
    void close() {
        live.close();
        live.close();
    }

    private Settings nextObeyed() throws InterruptedException {
        Settings next = obeyed.poll(30, TimeUnit.SECONDS);
        assertThat(next).isNotNull();
        return next;
    }

    private static <T> T get(CompletionStage<T> stage) throws Exception {
        return stage.toCompletableFuture().get(20, TimeUnit.SECONDS);
    }

    private static Outcome.Reason reason(Outcome<?> outcome) {
        return ((Outcome.Failed<?>) outcome).reason();
    }

    private SettingsControl.View view() {
        return ((Outcome.Done<SettingsControl.View>) live.view()).value();
    }

    @Test
    void editorsChange_isObeyedAtOnce_andTold() throws Exception {
        live.forStart();
        live.follow();
        var _ = live.obey(obeyed::add);
        assertThat(nextObeyed().ports().binding()).isEqualTo(PortBinding.DEFAULT_PORT_BINDING);

        Files.writeString(user, "{\"PortBindingBehavior\": \"local-only-port-binding\"}");

        assertThat(nextObeyed().ports().binding()).isEqualTo(PortBinding.LOCAL_ONLY_PORT_BINDING);
        assertThat(events)
                .contains(new Events.SettingsChanged(
                        List.of("portBindingBehavior"),
                        "portBindingBehavior is \"local-only-port-binding\" now: takes effect at once"));
    }

    @Test
    void administratorsLock_isObeyedAtOnce_andKeepsTheControlSocketOut() throws Exception {
        live.forStart();
        live.follow();
        var _ = live.obey(obeyed::add);
        nextObeyed();

        Files.writeString(
                admin, "{\"portBindingBehavior\": {\"locked\": true, \"value\": \"local-only-port-binding\"}}");

        assertThat(nextObeyed().ports().binding()).isEqualTo(PortBinding.LOCAL_ONLY_PORT_BINDING);
        Outcome<SettingsControl.Changed> set = get(live.set("portBindingBehavior", "default-port-binding"));
        assertThat(reason(set)).isEqualTo(Outcome.Reason.FORBIDDEN);
        assertThat(((Outcome.Failed<?>) set).text()).contains(admin.toString());
        assertThat(reason(get(live.unset("ports.binding")))).isEqualTo(Outcome.Reason.FORBIDDEN);
        assertThat(user).doesNotExist();
    }

    @Test
    void administratorsEgressPolicy_isObeyed_thoughTheUserBreaksHisFile() throws Exception {
        live.forStart();
        live.follow();
        var _ = live.obey(obeyed::add);
        nextObeyed();
        Files.writeString(user, "{");
        awaitNotice("values from before hold");

        Files.writeString(admin, "{\"egressPolicy\": {\"locked\": true, \"value\": {\"default\": \"deny\"}}}");

        assertThat(nextObeyed().egress().byDefault()).isEqualTo(EgressPolicy.Action.DENY);
        Files.writeString(user, "{\"hostNetworkingEnabled\": true}");
        Settings last = nextObeyed();
        while (!last.engine().hostNetworking()) {
            last = nextObeyed();
        }
        assertThat(last.egress().byDefault()).isEqualTo(EgressPolicy.Action.DENY);
    }

    @Test
    void administratorsProxies_areObeyed_thoughTheUserBreaksHisFile() throws Exception {
        Files.writeString(user, "{\"containersProxy\": {\"mode\": \"none\"}, \"hostNetworkingEnabled\": true}");
        live.forStart();
        live.follow();
        var _ = live.obey(obeyed::add);
        nextObeyed();
        Files.writeString(user, "{");
        awaitNotice("values from before hold");

        Files.writeString(
                admin,
                "{\"containersProxy\": {\"locked\": true, \"mode\": \"manual\", \"http\": \"http://p:1\"},"
                        + " \"proxy\": {\"locked\": true, \"mode\": \"none\"}}");

        Settings locked = nextObeyed();
        assertThat(locked.containersProxy().mode()).isEqualTo(ProxyMode.MANUAL);
        assertThat(locked.containersProxy().locked()).isTrue();
        assertThat(locked.proxy().locked()).isTrue();
        assertThat(locked.engine().hostNetworking())
                .as("what the user had said")
                .isTrue();
        assertThat(live.status().problems()).isNotEmpty();

        Files.writeString(admin, "{]"); // whoever can't be understood unlocks nothing
        awaitNotice(admin.toString());
        assertThat(obeyed).isEmpty();
        assertThat(view().settings().settings().containersProxy().locked()).isTrue();
    }

    /** Between what the user had said and a lock that contradicts it, the lock counts. */
    @Test
    void lockThatContradictsTheUser_isObeyedAlone_whileHisFileIsBroken() throws Exception {
        Files.writeString(user, "{\"defaultNetworkingMode\": \"ipv6only\"}");
        live.forStart();
        live.follow();
        var _ = live.obey(obeyed::add);
        nextObeyed();
        Files.writeString(user, "{");
        awaitNotice("values from before hold");

        Files.writeString(
                admin,
                "{\"network.ipv6\": {\"locked\": true, \"value\": \"off\"},"
                        + " \"portBindingBehavior\": {\"locked\": true, \"value\": \"local-only-port-binding\"}}");

        assertThat(nextObeyed().ports().binding()).isEqualTo(PortBinding.LOCAL_ONLY_PORT_BINDING);
    }

    @Test
    void badEdit_keepsWhatHolds_andIsToldUntilItIsRepaired() throws Exception {
        live.forStart();
        live.follow();
        var _ = live.obey(obeyed::add);
        nextObeyed();

        Files.writeString(user, "{\"portBindingBehavior\": \"everywhere\"}");
        awaitNotice("values from before hold");

        assertThat(live.status().problems()).singleElement().asString().contains(user + ": line 1, column 25");
        assertThat(obeyed).isEmpty();
        assertThat(events)
                .anyMatch(e -> e instanceof Events.Notice n && n.text().contains("values from before hold"));
        assertThatThrownBy(() -> live.forStart()).hasMessageContaining("line 1, column 25");

        Files.writeString(user, "{}");
        awaitNotice("the settings files can be used again");
        assertThat(live.status().problems()).isEmpty();
        assertThat(live.forStart().settings()).isEqualTo(Settings.DEFAULTS);
    }

    private void awaitNotice(String text) {
        while (events.stream()
                .noneMatch(e -> e instanceof Events.Notice n && n.text().contains(text))) {
            Thread.onSpinWait();
        }
    }

    @Test
    void valueForTheNextStart_isPendingWhileAGuestRuns() throws Exception {
        live.guestHas(live.forStart());

        SettingsControl.Changed changed =
                ((Outcome.Done<SettingsControl.Changed>) get(live.set("memoryMiB", "2048"))).value();

        assertThat(changed.view().pending()).containsExactly("memoryMiB");
        assertThat(live.status().pending()).containsExactly("memoryMiB");
        live.guestEnded();
        assertThat(live.status().pending()).isEmpty();
    }

    @Test
    void change_byTheControlSocket_isInTheViewWhenItReplies() throws Exception {
        live.forStart();
        var _ = live.obey(obeyed::add);
        nextObeyed();
        get(live.set("dnsInhibition", "none"));

        SettingsControl.Changed changed =
                ((Outcome.Done<SettingsControl.Changed>) get(live.set("defaultNetworkingMode", "ipv4only"))).value();

        assertThat(changed.key()).isEqualTo("defaultNetworkingMode");
        assertThat(changed.also()).containsExactly("dnsInhibition");
        assertThat(changed.notes()).hasSize(1);
        assertThat(reason(get(live.set("mtu", "1")))).isEqualTo(Outcome.Reason.NOT_FOUND);
        assertThat(reason(get(live.set("vpnKitMTU", "1")))).isEqualTo(Outcome.Reason.INVALID);
        Files.writeString(user, "{");
        assertThat(reason(get(live.set("cpus", "1")))).isEqualTo(Outcome.Reason.WRONG_STATE);
        assertThat(user).hasContent("{");
    }

    @Test
    void unusableFilesAtTheStart_areToldWithoutSettings() throws Exception {
        Files.writeString(admin, "{\"cpus\": {\"locked\": true}}");

        assertThatThrownBy(() -> live.forStart())
                .isInstanceOf(PartException.class)
                .hasMessageContaining(admin + ": line 1, column 10: cpus.value: is missing");
        assertThat(live.view()).isInstanceOf(Outcome.Failed.class);
    }

    @Test
    void passwords_areInNoEventAndNoView() throws Exception {
        live.forStart();
        get(live.set("proxy.http", "http://u:hunter2@h:1"));
        writeAndReload("{\"proxy\": {\"http\": \"http://u:hunter3@h:1\", \"mode\": \"manual\"}}");

        assertThat(events).anyMatch(e -> e instanceof Events.SettingsChanged);
        assertThat(events.toString()).doesNotContain("hunter");
        assertThat(view().toString()).doesNotContain("hunter");
        assertThat(live.status().toString()).doesNotContain("hunter");
    }

    private void writeAndReload(String json) throws IOException, PartException {
        Files.writeString(user, json);
        live.forStart();
    }
}
