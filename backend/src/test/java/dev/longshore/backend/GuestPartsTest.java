package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.config.Home;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsStore;
import dev.longshore.control.Events;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuestPartsTest {
    @TempDir
    private Path directory;

    private final List<Events.What> events = new ArrayList<>();
    private Home home;
    private GuestParts parts;

    @BeforeEach
    void create() throws Exception {
        home = Home.at(directory, directory.resolve("cache"));
        home.create();
        parts = new GuestParts(
                home,
                new LiveSettings(
                        new SettingsStore(
                                new SettingsFiles(home.settingsFile(), directory.resolve("admin-settings.json"))),
                        events::add),
                events::add,
                new Meters());
    }

    @Test
    void settingsThatAreRefused_areAllToldWithTheFile() throws Exception {
        Files.writeString(home.settingsFile(), "{\"vm\": {\"cpus\": -1},\n \"network\": {\"mtu\": 1}}");

        assertThatThrownBy(() -> parts.create(reason -> {}))
                .isInstanceOf(PartException.class)
                .hasMessageContaining(home.settingsFile().toString())
                .hasMessageContaining("line 1, column 17: vm.cpus")
                .hasMessageContaining("line 2, column 21: network.mtu");
    }

    @Test
    void unknownKeys_becomeNoticesAndTheStartGoesOn() throws Exception {
        Files.writeString(home.settingsFile(), "{\"vm\": {\"kind\": \"uml\", \"color\": 1}}");

        GuestStack stack = parts.create(reason -> {});

        assertThat(events)
                .contains(
                        new Events.Notice(home.settingsFile() + ": line 1, column 33: vm.color: unknown key, ignored"));
        assertThat(stack.guest().kind()).isEqualTo("uml");
        assertThat(stack.guest().pid()).isZero();
        assertThat(stack.engine().ready()).isFalse();
    }

    @Test
    void parts_areInTheOrderOfNeed() throws Exception {
        Files.writeString(home.settingsFile(), "{\"vm\": {\"kind\": \"uml\"}}");

        assertThat(parts.create(reason -> {}).parts())
                .extracting(Part::name)
                .containsExactly(
                        "loops",
                        "image",
                        "disk",
                        "network",
                        "vsock",
                        "files",
                        "meters",
                        "docker-socket",
                        "guest",
                        "agent",
                        "clock",
                        "engine");
    }
}
