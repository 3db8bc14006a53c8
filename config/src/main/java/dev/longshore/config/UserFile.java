package dev.longshore.config;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What {@code settings.json} says. Read once, immutable afterwards. */
final class UserFile {
    private static final String ADMINS_FORM = "; {locked, value} is for an administrator's " + SettingsFiles.ADMIN_NAME;

    private final Path file;
    private final Values values = new Values();
    private final Map<Setting<?>, Place> places = new HashMap<>();
    private final Map<Setting<?>, Problem> bad = new HashMap<>();
    private final Findings findings;

    /** Where a setting's value stands, and by which name. */
    private record Place(String name, JsonTree.Place at) {}

    private UserFile(Path file) {
        this.file = file;
        this.findings = new Findings(file);
    }

    /** An empty one. */
    static UserFile absent(Path file) {
        return new UserFile(file);
    }

    static UserFile of(Path file, JsonTree.Obj tree) {
        UserFile read = new UserFile(file);
        read.object("", tree, KeyTree.USER.top());
        return read;
    }

    private void object(String prefix, JsonTree.Obj object, KeyTree.Inner names) {
        findings.repeated(prefix, object);
        for (JsonTree.Member member : object.counting()) {
            String name = prefix + member.name();
            switch (names.child(member.name())) {
                case null -> findings.unknown(prefix, member, names.names());
                case KeyTree.Inner inner -> {
                    if (member.value() instanceof JsonTree.Obj o) {
                        object(name + ".", o, inner);
                    } else {
                        findings.problem(name, member.value().at(), "must be an object {…}");
                    }
                }
                case KeyTree.Value v -> value(v.setting(), name, member.value());
                case KeyTree.OnlyOneFamily only -> onlyOneFamily(only.mode(), name, member.value());
                case KeyTree.FileVersion _, KeyTree.GroupLock _, KeyTree.AllowedDirectories _, KeyTree.InGroup _ ->
                    throw new IllegalStateException(name + " is an administrator's");
            }
        }
    }

    private <T> void value(Setting<T> setting, String name, JsonTree value) {
        T read;
        try {
            read = setting.type().read(value);
        } catch (IllegalArgumentException e) {
            Problem problem = BadValueException.problem(e, file, name, value);
            bad.putIfAbsent(setting, looksLocked(value) ? problem.with(ADMINS_FORM) : problem);
            return;
        }
        put(setting, read, name, value.at());
    }

    private static boolean looksLocked(JsonTree value) {
        return value instanceof JsonTree.Obj o && (o.find("locked") != null || o.find("value") != null);
    }

    private <T> void put(Setting<T> setting, T value, String name, JsonTree.Place at) {
        Place before = places.get(setting);
        if (before == null) {
            values.put(setting, value);
            places.put(setting, new Place(name, at));
        } else if (Objects.equals(values.get(setting), value)) {
            findings.warn(name, at, "is the same setting as " + before.name);
        } else {
            bad.put(
                    setting,
                    Problem.at(file, name, at, "is the same setting as " + before.name + ", with another value"));
        }
    }

    private void onlyOneFamily(NetworkingMode mode, String name, JsonTree value) {
        if (!(value instanceof JsonTree.Bool b)) {
            findings.problem(name, value.at(), "must be true or false");
        } else if (b.value()) {
            put(SettingTable.NETWORKING_MODE, mode, name, value.at());
        }
    }

    Path file() {
        return file;
    }

    /** Null if the file has none, or a bad one. */
    <T> @Nullable T get(Setting<T> setting) {
        return bad.containsKey(setting) ? null : values.get(setting);
    }

    boolean has(Setting<?> setting) {
        return values.has(setting) && !bad.containsKey(setting);
    }

    /** Of a value that can't be used. */
    @Nullable
    Problem badValue(Setting<?> setting) {
        return bad.get(setting);
    }

    /** About a setting, at the place where the file has it. */
    Problem about(Setting<?> setting, String text) {
        Place place = places.get(setting);
        return place == null
                ? new Problem(file, setting.key(), 0, 0, text)
                : Problem.at(file, place.name, place.at, text);
    }

    /** All but those of single values. */
    List<Problem> problems() {
        return findings.problems();
    }

    List<Problem> warnings() {
        return findings.warnings("keys of Docker Desktop that mean nothing here");
    }
}
