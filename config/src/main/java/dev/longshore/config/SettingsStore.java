package dev.longshore.config;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Changes the user's settings file: one member at a time, and the file as a whole is the old or the new one, whatever
 * happens. A file that can't be understood is never written. Thread-safe, and between processes: by a lock on a file
 * beside it.
 */
public final class SettingsStore {
    private static final String OWNER_ONLY = "rw-------";
    private static final long LOCK_SECONDS = 5;
    private static final long PAUSE_MILLIS = 20;
    private static final int ATTEMPTS = 5;
    private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};

    private final SettingsFiles files;

    /** How a change ended. Immutable. */
    public sealed interface Edit {
        /**
         * The file has it now, or had it before.
         *
         * @param effective null as long as other settings are bad
         * @param setting that was named
         * @param changed settings whose values are different now; {@code setting} need not be among them
         * @param notes what was done besides, for the user
         */
        record Done(
                @Nullable EffectiveSettings effective, Setting<?> setting, List<Setting<?>> changed, List<String> notes)
                implements Edit {}

        /** The file is as it was; {@code text} is for the user and quotes no secrets. */
        record Refused(Why why, String text) implements Edit {}
    }

    /** Why a change was refused. */
    public enum Why {
        UNKNOWN_KEY,
        BAD_VALUE,
        /** An administrator has said otherwise. */
        LOCKED,
        /** The file can't be understood, or not be written. */
        FILE
    }

    public SettingsStore(SettingsFiles files) {
        this.files = files;
    }

    public SettingsFiles files() {
        return files;
    }

    public SettingsResult read() {
        return files.read();
    }

    /**
     * Sets one setting.
     *
     * @param key any of its names
     * @param text as typed: {@code true}, {@code 1500}, {@code dual-stack}, {@code a,b} or {@code ["a", "b"]}; or as JSON
     */
    public Edit set(String key, String text) {
        Optional<Setting<?>> setting = SettingTable.find(key);
        return setting.isEmpty() ? unknown(key) : set(setting.get(), text);
    }

    private <T> Edit set(Setting<T> setting, String text) {
        T value;
        try {
            value = setting.type().read(setting.type().typed(unquoted(text)));
        } catch (IllegalArgumentException e) {
            String at = e instanceof BadValueException bad ? bad.path() + ":" : "";
            return new Edit.Refused(Why.BAD_VALUE, setting.key() + at + " " + e.getMessage());
        }
        if (setting.effect() == Effect.UNSUPPORTED && !value.equals(setting.fallback())) {
            return new Edit.Refused(Why.BAD_VALUE, setting.key() + " is " + setting.whenItCounts());
        }
        Object json = setting.type().written(value);
        return change(setting, (edit, notes) -> {
            if (setting.equals(SettingTable.NETWORKING_MODE)) {
                JsonEdit changed = edit.unset(SettingsStore::isOnlyOneFamily).set(names(setting), setting.key(), json);
                return resetFilter(edit, changed, notes);
            }
            return edit.set(names(setting), setting.key(), json);
        });
    }

    /** A JSON string's content; anything else as it is. */
    private static String unquoted(String text) {
        String stripped = text.strip();
        if (stripped.length() >= 2 && stripped.startsWith("\"") && stripped.endsWith("\"")) {
            try {
                JsonTree.Member only =
                        JsonReader.read("{\"\":" + stripped + "}").find("");
                if (only != null && only.value() instanceof JsonTree.Text t) {
                    return t.value();
                }
            } catch (JsonReader.MalformedException e) {
                // something else that begins and ends with a quote
            }
        }
        return text;
    }

    /** Docker Desktop's rule: another networking mode sets the DNS filter back to auto. */
    private JsonEdit resetFilter(JsonEdit before, JsonEdit after, List<String> notes)
            throws JsonReader.MalformedException {
        UserFile old = UserFile.of(files.user(), JsonReader.read(before.text()));
        UserFile made = UserFile.of(files.user(), JsonReader.read(after.text()));
        NetworkingMode was = old.get(SettingTable.NETWORKING_MODE);
        NetworkingMode is = made.get(SettingTable.NETWORKING_MODE);
        NetworkingMode wasOrDefault = was == null ? SettingTable.NETWORKING_MODE.fallback() : was;
        if (wasOrDefault == is || !made.has(SettingTable.DNS_FILTER)) {
            return after;
        }
        notes.add(SettingTable.DNS_FILTER.key() + " was reset to auto, as the networking mode is another one now");
        return after.unset(names(SettingTable.DNS_FILTER));
    }

    /** Takes one setting out of the file. */
    public Edit unset(String key) {
        Optional<Setting<?>> setting = SettingTable.find(key);
        return setting.isEmpty()
                ? unknown(key)
                : change(setting.get(), (edit, notes) -> edit.unset(names(setting.get())));
    }

    private static Edit unknown(String key) {
        return new Edit.Refused(Why.UNKNOWN_KEY, "there is no setting " + key + SettingTable.hint(key));
    }

    /** All names that the user's file may have for a setting. */
    private static Predicate<String> names(Setting<?> setting) {
        return path -> KeyTree.sameName(setting.key(), path)
                || setting.spellings().stream().anyMatch(s -> KeyTree.sameName(s, path))
                || (setting.equals(SettingTable.NETWORKING_MODE) && isOnlyOneFamily(path));
    }

    private static boolean isOnlyOneFamily(String path) {
        return path.matches("(IP|ip|iP)v[46]Only");
    }

    /** Makes the new text out of the old one. */
    private interface Change {
        JsonEdit apply(JsonEdit edit, List<String> notes) throws JsonReader.MalformedException;
    }

    private Edit change(Setting<?> setting, Change change) {
        Edit locked = locked(setting);
        if (locked != null) {
            return locked;
        }
        try (FileChannel channel = FileChannel.open(
                        lockFile(),
                        Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(OWNER_ONLY)));
                FileLock lock = lock(channel)) {
            if (lock == null) {
                return new Edit.Refused(Why.FILE, "another program is changing the settings; try again");
            }
            for (int i = 0; i < ATTEMPTS; i++) {
                Edit edit = attempt(setting, change);
                if (edit != null) {
                    return edit;
                }
            }
            return new Edit.Refused(Why.FILE, files.user() + " is being changed by another program; try again");
        } catch (IOException e) {
            return new Edit.Refused(
                    Why.FILE,
                    files.user() + " can't be written: " + e.getClass().getSimpleName() + " at " + lockFile());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new Edit.Refused(Why.FILE, "interrupted");
        }
    }

    private Path lockFile() {
        return files.user().resolveSibling("settings.lock");
    }

    private static @Nullable FileLock lock(FileChannel channel) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LOCK_SECONDS);
        while (System.nanoTime() - deadline < 0) {
            try {
                FileLock lock = channel.tryLock();
                if (lock != null) {
                    return lock;
                }
            } catch (OverlappingFileLockException e) {
                // another thread of this process has it
            }
            TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
        }
        return null;
    }

    /** Null if somebody else has changed the file meanwhile. */
    private @Nullable Edit attempt(Setting<?> setting, Change change) throws IOException {
        byte[] bytes = bytes();
        SettingsFiles.Parsed parsed = SettingsFiles.parse(files.user());
        if (parsed.problem() != null) {
            return new Edit.Refused(Why.FILE, "the file is left as it is: " + parsed.problem());
        }
        JsonEdit before = parsed.tree() == null ? JsonEdit.EMPTY : new JsonEdit(parsed.text());
        SettingsResult old = files.readWith(before.text());
        List<String> notes = new ArrayList<>();
        JsonEdit after;
        SettingsResult made;
        try {
            after = change.apply(before, notes);
            made = files.readWith(after.text());
        } catch (JsonReader.MalformedException e) {
            throw new IllegalStateException("an edit has made " + files.user() + " malformed", e);
        }
        Edit refused = refusal(setting, old, made);
        if (refused != null) {
            return refused;
        }
        if (!after.text().equals(before.text())) {
            if (!Arrays.equals(bytes, bytes())) {
                return null;
            }
            write(after.text(), startsWithMark(bytes));
        }
        return done(setting, old, made, notes);
    }

    /** Whatever new problem comes with the change is a reason against it; those that were there before are not. */
    private @Nullable Edit refusal(Setting<?> setting, SettingsResult old, SettingsResult made) {
        if (made instanceof SettingsResult.Refused r) {
            Set<String> known = new HashSet<>();
            if (old instanceof SettingsResult.Refused o) {
                o.problems().forEach(p -> known.add(p.file() + p.key() + p.text()));
            }
            List<Problem> added = r.problems().stream()
                    .filter(p -> !known.contains(p.file() + p.key() + p.text())
                            || SettingTable.find(p.key())
                                    .filter(setting::equals)
                                    .isPresent())
                    .toList();
            if (!added.isEmpty()) {
                Problem first = added.getFirst();
                boolean admins = added.stream().anyMatch(p -> p.file().equals(files.admin()));
                return new Edit.Refused(
                        admins
                                ? Why.FILE
                                : first.text().contains(files.admin().toString()) ? Why.LOCKED : Why.BAD_VALUE,
                        first.key() + ": " + first.text());
            }
        }
        return null;
    }

    /** Whatever else is wrong, a lock is told first. */
    private @Nullable Edit locked(Setting<?> setting) {
        SettingsFiles.Parsed parsed = SettingsFiles.parse(files.admin());
        if (parsed.problem() != null) {
            return new Edit.Refused(Why.FILE, String.valueOf(parsed.problem()));
        }
        AdminFile admin =
                parsed.tree() == null ? AdminFile.absent(files.admin()) : AdminFile.of(files.admin(), parsed.tree());
        return admin.isLocked(setting)
                ? new Edit.Refused(Why.LOCKED, setting.key() + " is locked by your administrator in " + files.admin())
                : null;
    }

    private static Edit done(Setting<?> setting, SettingsResult old, SettingsResult made, List<String> notes) {
        return switch (made) {
            case SettingsResult.Usable u ->
                new Edit.Done(
                        u.effective(),
                        setting,
                        old instanceof SettingsResult.Usable o
                                ? u.effective().changesFrom(o.effective())
                                : List.of(setting),
                        List.copyOf(notes));
            case SettingsResult.Refused r -> {
                r.problems().forEach(p -> notes.add("still to be put right: " + p));
                yield new Edit.Done(null, setting, List.of(), List.copyOf(notes));
            }
        };
    }

    private byte[] bytes() throws IOException {
        try {
            return Files.readAllBytes(files.user());
        } catch (NoSuchFileException e) {
            return new byte[0];
        }
    }

    private static boolean startsWithMark(byte[] bytes) {
        return bytes.length >= 3 && Arrays.equals(bytes, 0, 3, BYTE_ORDER_MARK, 0, 3);
    }

    /** A file of its own beside the old one, on the disk before it takes the old one's place. A link stays a link. */
    private void write(String text, boolean mark) throws IOException {
        Path target = Files.exists(files.user()) ? files.user().toRealPath() : files.user();
        Path temporary = Files.createTempFile(
                directory(target),
                ".settings-",
                ".tmp",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(OWNER_ONLY)));
        try {
            try (FileChannel out = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
                writeAll(out, mark ? BYTE_ORDER_MARK : new byte[0]);
                writeAll(out, text.getBytes(StandardCharsets.UTF_8));
                out.force(true);
            }
            move(temporary, target);
        } finally {
            Files.deleteIfExists(temporary);
        }
        try (FileChannel directory = FileChannel.open(directory(target), StandardOpenOption.READ)) {
            directory.force(true); // the new name, too, is to outlive a power failure
        }
    }

    private static Path directory(Path file) {
        Path parent = file.toAbsolutePath().getParent();
        return parent == null ? Path.of("/") : parent;
    }

    private static void writeAll(FileChannel out, byte[] bytes) throws IOException {
        ByteBuffer rest = ByteBuffer.wrap(bytes);
        while (rest.hasRemaining()) {
            out.write(rest);
        }
    }

    private static void move(Path from, Path to) throws IOException {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            throw new IOException("no atomic rename there", e);
        }
    }
}
