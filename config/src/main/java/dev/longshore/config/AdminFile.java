package dev.longshore.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What {@code admin-settings.json} says: Docker Desktop's form of it. A lock that can't be understood is a problem of the
 * whole file, never a default. Read once, immutable afterwards.
 */
final class AdminFile {
    private static final long NEWEST_VERSION = 2;

    private final Path file;
    private final Values values = new Values();
    private final Set<Setting<?>> locked = new HashSet<>();
    private final Map<Setting<?>, String> places = new HashMap<>();
    private @Nullable List<AllowedDirectory> allowedDirectories;
    private final Findings findings;

    /**
     * A folder that users may share.
     *
     * @param path a checked text of {@link SharedPaths}
     * @param shared whether it is, where the user says nothing
     */
    record AllowedDirectory(String path, boolean shared) {}

    private AdminFile(Path file) {
        this.file = file;
        this.findings = new Findings(file);
    }

    /** One that says nothing. */
    static AdminFile absent(Path file) {
        return new AdminFile(file);
    }

    static AdminFile of(Path file, JsonTree.Obj tree) {
        AdminFile read = new AdminFile(file);
        read.object("", tree, KeyTree.ADMIN.top());
        return read;
    }

    private void object(String prefix, JsonTree.Obj object, KeyTree.Inner names) {
        findings.repeated(prefix, object);
        boolean groupLocked = !names.group.isEmpty() && isGroupLocked(names.group, object);
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
                case KeyTree.Value v -> {
                    if (v.setting().group() == null) {
                        lockable(v.setting(), name, member.value());
                    } else {
                        put(v.setting(), name, member.value(), groupLocked);
                    }
                }
                case KeyTree.GroupLock _ -> {}
                case KeyTree.FileVersion _ -> version(name, member.value());
                case KeyTree.AllowedDirectories _ -> allowed(name, member.value());
                case KeyTree.InGroup g ->
                    findings.problem(
                            name,
                            member.value().at(),
                            "is locked together with its group: write it as "
                                    + g.setting().key() + ", with "
                                    + g.setting().group() + ".locked");
                case KeyTree.OnlyOneFamily _ -> throw new IllegalStateException(name + " is a user's");
            }
        }
        if (groupLocked) {
            lockGroup(names.group, object);
        }
    }

    private boolean isGroupLocked(String group, JsonTree.Obj object) {
        JsonTree.Member member = object.find("locked");
        if (member != null && member.value() instanceof JsonTree.Bool b) {
            return b.value();
        }
        findings.problem(
                group + ".locked", member == null ? object.at() : member.value().at(), "must be true or false");
        return false;
    }

    /** Every member is locked, those that the file does not give at their defaults; the mode has to be given. */
    private void lockGroup(String group, JsonTree.Obj object) {
        for (Setting<?> s : SettingTable.ALL) {
            if (group.equals(s.group())) {
                locked.add(s);
                places.putIfAbsent(s, group);
                if (s.key().equals(group + ".mode") && !values.has(s) && object.find("mode") == null) {
                    findings.problem(group + ".mode", object.at(), "is missing: a locked group needs it");
                }
            }
        }
    }

    private void lockable(Setting<?> setting, String name, JsonTree value) {
        if (!(value instanceof JsonTree.Obj o)) {
            findings.problem(name, value.at(), "must be {\"locked\": true or false, \"value\": …}");
            return;
        }
        findings.repeated(name + ".", o);
        for (JsonTree.Member m : o.members()) {
            if (!m.name().equals("locked") && !m.name().equals("value")) {
                findings.warn(name + "." + m.name(), m.value().at(), "unknown key, ignored");
            }
        }
        JsonTree.Member lock = o.find("locked");
        if (lock == null || !(lock.value() instanceof JsonTree.Bool isLocked)) {
            findings.problem(
                    name + ".locked", lock == null ? o.at() : lock.value().at(), "must be true or false");
            return;
        }
        JsonTree.Member given = o.find("value");
        if (given != null) {
            put(setting, name, given.value(), isLocked.value());
        } else if (isLocked.value()) {
            findings.problem(name + ".value", o.at(), "is missing: a lock needs the value to lock");
        } else {
            findings.warn(name, o.at(), "has neither a lock nor a value, and says nothing");
        }
    }

    private <T> void put(Setting<T> setting, String name, JsonTree value, boolean lock) {
        T read;
        try {
            read = setting.type().read(value);
        } catch (IllegalArgumentException e) {
            findings.problem(BadValueException.problem(e, file, name, value));
            return;
        }
        if (values.has(setting) && (!read.equals(values.get(setting)) || locked.contains(setting) != lock)) {
            findings.problem(name, value.at(), "is the same setting as " + places.get(setting) + ", said otherwise");
            return;
        }
        values.put(setting, read);
        places.put(setting, name);
        if (lock) {
            locked.add(setting);
        }
        if (lock && setting.effect() == Effect.UNSUPPORTED && !read.equals(setting.fallback())) {
            findings.problem(name, value.at(), "can't be locked to this: " + setting.whenItCounts());
        }
    }

    private void version(String name, JsonTree value) {
        if (!(value instanceof JsonTree.Int i) || i.value() < 1) {
            findings.problem(name, value.at(), "must be a whole number from 1 on, or left out");
        } else if (i.value() > NEWEST_VERSION) {
            findings.warn(
                    name,
                    value.at(),
                    "is newer than " + NEWEST_VERSION
                            + ", the newest that is known here: keys of it may not be obeyed");
        }
    }

    private void allowed(String name, JsonTree value) {
        if (!(value instanceof JsonTree.Arr a)) {
            findings.problem(name, value.at(), "must be a list of {\"path\": …, \"sharedByDefault\": true or false}");
            return;
        }
        List<AllowedDirectory> directories = new ArrayList<>();
        for (JsonTree item : a.items()) {
            AllowedDirectory directory = allowedDirectory(name, item);
            if (directory != null) {
                directories.add(directory);
            }
        }
        allowedDirectories = List.copyOf(directories);
    }

    private @Nullable AllowedDirectory allowedDirectory(String name, JsonTree item) {
        if (!(item instanceof JsonTree.Obj o)
                || o.find("path") == null
                || !(o.find("path").value() instanceof JsonTree.Text path)) {
            findings.problem(name, item.at(), "must be a list of {\"path\": …, \"sharedByDefault\": true or false}");
            return null;
        }
        JsonTree.Member shared = o.find("sharedByDefault");
        if (shared != null && !(shared.value() instanceof JsonTree.Bool)) {
            findings.problem(name + ".sharedByDefault", shared.value().at(), "must be true or false");
            return null;
        }
        try {
            return new AllowedDirectory(
                    SharedPaths.check(path.value()),
                    shared != null && shared.value() instanceof JsonTree.Bool b && b.value());
        } catch (IllegalArgumentException e) {
            findings.problem(name + ".path", path.at(), String.valueOf(e.getMessage()));
            return null;
        }
    }

    Path file() {
        return file;
    }

    /** Null if the file has none. */
    <T> @Nullable T get(Setting<T> setting) {
        return values.get(setting);
    }

    boolean has(Setting<?> setting) {
        return values.has(setting);
    }

    boolean isLocked(Setting<?> setting) {
        return locked.contains(setting);
    }

    /** The bound on what users may share; null if there is none. */
    @Nullable
    List<AllowedDirectory> allowedDirectories() {
        return allowedDirectories;
    }

    List<Problem> problems() {
        return findings.problems();
    }

    List<Problem> warnings() {
        return findings.warnings("keys of Docker Desktop that nothing here obeys");
    }
}
