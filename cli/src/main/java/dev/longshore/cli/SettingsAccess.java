package dev.longshore.cli;

import dev.longshore.config.EffectiveSettings;
import dev.longshore.config.Home;
import dev.longshore.config.Problem;
import dev.longshore.config.Setting;
import dev.longshore.config.SettingTable;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsResult;
import dev.longshore.config.SettingsStore;
import dev.longshore.proto.control.v1.GetSettingRequest;
import dev.longshore.proto.control.v1.ListSettingsReply;
import dev.longshore.proto.control.v1.ListSettingsRequest;
import dev.longshore.proto.control.v1.SetSettingReply;
import dev.longshore.proto.control.v1.SetSettingRequest;
import dev.longshore.proto.control.v1.SettingsServiceGrpc;
import dev.longshore.proto.control.v1.UnsetSettingReply;
import dev.longshore.proto.control.v1.UnsetSettingRequest;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The settings of a home: by its daemon, which acts on changes at once, or by its files where none answers. Who changes the
 * files at the same time is kept out by their own lock. Confined to the command's thread.
 */
interface SettingsAccess extends AutoCloseable {
    /** All of them, and what is to be said about the files. */
    record Listing(List<SettingRow> settings, List<String> warnings, List<String> problems) {}

    /**
     * What a change did.
     *
     * @param all the one that was named, then others that are different now; empty if nothing holds, as other settings are
     *     still bad
     * @param running a daemon made it
     */
    record Change(List<SettingRow> all, List<String> notes, boolean running) {}

    Listing list();

    SettingRow get(String key);

    Change set(String key, String value);

    Change unset(String key);

    @Override
    void close();

    static SettingsAccess open(Home home, SettingsFiles files) {
        ControlClient client = ControlClient.connect(home);
        return client == null ? new OfFiles(home, new SettingsStore(files)) : new OfDaemon(client);
    }

    /** By the control socket. */
    record OfDaemon(ControlClient client) implements SettingsAccess {
        @Override
        public Listing list() {
            ListSettingsReply reply = call(() -> stub().listSettings(ListSettingsRequest.getDefaultInstance()));
            return new Listing(
                    reply.getSettingsList().stream().map(SettingRow::of).toList(),
                    reply.getWarningsList(),
                    reply.getProblemsList());
        }

        @Override
        public SettingRow get(String key) {
            GetSettingRequest request =
                    GetSettingRequest.newBuilder().setKey(key).build();
            return SettingRow.of(call(() -> stub().getSetting(request)).getSetting());
        }

        @Override
        public Change set(String key, String value) {
            SetSettingRequest request =
                    SetSettingRequest.newBuilder().setKey(key).setValue(value).build();
            SetSettingReply reply = call(() -> stub().setSetting(request));
            return change(reply.getSetting(), reply.getAlsoChangedList(), reply.getNotesList());
        }

        @Override
        public Change unset(String key) {
            UnsetSettingRequest request =
                    UnsetSettingRequest.newBuilder().setKey(key).build();
            UnsetSettingReply reply = call(() -> stub().unsetSetting(request));
            return change(reply.getSetting(), reply.getAlsoChangedList(), reply.getNotesList());
        }

        private static Change change(
                dev.longshore.proto.control.v1.Setting named,
                List<dev.longshore.proto.control.v1.Setting> also,
                List<String> notes) {
            return new Change(
                    Stream.concat(Stream.of(named), also.stream())
                            .map(SettingRow::of)
                            .toList(),
                    notes,
                    true);
        }

        private SettingsServiceGrpc.SettingsServiceBlockingStub stub() {
            return client.settings();
        }

        private static <T> T call(Supplier<T> call) {
            try {
                return call.get();
            } catch (StatusRuntimeException e) {
                String text = String.valueOf(e.getStatus().getDescription());
                throw switch (e.getStatus().getCode()) {
                    case NOT_FOUND, INVALID_ARGUMENT -> CliException.wrongArguments(text);
                    case UNIMPLEMENTED ->
                        new CliException("the daemon is of an older version; longshore restart renews it");
                    default -> e;
                };
            }
        }

        @Override
        public void close() {
            client.close();
        }
    }

    /** By the files. */
    record OfFiles(Home home, SettingsStore store) implements SettingsAccess {
        @Override
        public Listing list() {
            EffectiveSettings effective = effective();
            return new Listing(
                    effective.entries().stream()
                            .map(e -> SettingRow.of(e, effective.adminFile()))
                            .toList(),
                    effective.warnings().stream().map(Problem::toString).toList(),
                    List.of());
        }

        private EffectiveSettings effective() {
            return switch (store.read()) {
                case SettingsResult.Usable u -> u.effective();
                case SettingsResult.Refused r ->
                    throw new CliException("the settings are not usable:\n"
                            + r.problems().stream()
                                    .map(Problem::toString)
                                    .collect(Collectors.joining("\n  ", "  ", "")));
            };
        }

        @Override
        public SettingRow get(String key) {
            Setting<?> setting = SettingTable.find(key)
                    .orElseThrow(
                            () -> CliException.wrongArguments("there is no setting " + key + SettingTable.hint(key)));
            EffectiveSettings effective = effective();
            return SettingRow.of(effective.entry(setting), effective.adminFile());
        }

        @Override
        public Change set(String key, String value) {
            makeHome();
            return change(store.set(key, value));
        }

        @Override
        public Change unset(String key) {
            makeHome();
            return change(store.unset(key));
        }

        private void makeHome() {
            try {
                home.create();
            } catch (IOException e) {
                throw new CliException("the directories of " + home.state() + " cannot be used: " + e);
            }
        }

        private static Change change(SettingsStore.Edit edit) {
            return switch (edit) {
                case SettingsStore.Edit.Refused r ->
                    throw switch (r.why()) {
                        case UNKNOWN_KEY, BAD_VALUE -> CliException.wrongArguments(r.text());
                        case LOCKED, FILE -> new CliException(r.text());
                    };
                case SettingsStore.Edit.Done d -> new Change(rows(d), d.notes(), false);
            };
        }

        private static List<SettingRow> rows(SettingsStore.Edit.Done done) {
            EffectiveSettings effective = done.effective();
            if (effective == null) {
                return List.of();
            }
            List<Setting<?>> shown = new ArrayList<>(List.of(done.setting()));
            done.changed().stream().filter(s -> !s.equals(done.setting())).forEach(shown::add);
            return shown.stream()
                    .map(s -> SettingRow.of(effective.entry(s), effective.adminFile()))
                    .toList();
        }

        @Override
        public void close() {}
    }
}
