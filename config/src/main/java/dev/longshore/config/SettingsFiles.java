package dev.longshore.config;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The two files that settings come from: the user's in the home, and an administrator's. Both are JSON in UTF-8, with or
 * without a byte order mark, in which comments and trailing commas are allowed. Immutable; never writes.
 *
 * @param user may be missing
 * @param admin may be missing; if it is there and can't be read, nothing starts
 */
public record SettingsFiles(Path user, Path admin) {
    static final String ADMIN_NAME = "admin-settings.json";

    /**
     * Where an administrator's file is. No variable of the environment moves it, and no property: whoever is locked must
     * not choose another one.
     */
    public static final Path ADMIN_FILE = Path.of("/usr/share/longshore", ADMIN_NAME);

    private static final long MAX_BYTES = 1 << 20;
    private static final char BYTE_ORDER_MARK = '\uFEFF';

    /** Of an instance. */
    public static SettingsFiles of(Home home) {
        return new SettingsFiles(home.settingsFile(), ADMIN_FILE);
    }

    /** Reads both. All problems of the content are collected; none is thrown. Missing files are the defaults. */
    public SettingsResult read() {
        Parsed admins = parse(admin);
        Parsed users = parse(user);
        if (admins.problem != null || users.problem != null) {
            return new SettingsResult.Refused(
                    java.util.stream.Stream.of(Optional.ofNullable(admins.problem), Optional.ofNullable(users.problem))
                            .flatMap(Optional::stream)
                            .toList());
        }
        return resolve(users, admins);
    }

    /** What holds where there is no user's file. */
    public static SettingsResult readAdmin(Path admin) {
        return new SettingsFiles(admin.resolveSibling("settings.json"), admin).readWith("{}");
    }

    /**
     * What holds while the user's file can't be used: the administrator's of now, with what the user had said in {@code held}. Where
     * the two contradict each other it is the administrator's alone, for a lock must not wait until the user repairs his file.
     */
    public SettingsResult readAround(EffectiveSettings held) {
        Parsed admins = parse(admin);
        if (admins.problem != null) {
            return new SettingsResult.Refused(List.of(admins.problem));
        }
        AdminFile now = admins.tree == null ? AdminFile.absent(admin) : AdminFile.of(admin, admins.tree);
        SettingsResult both = result(held.userFile(), now);
        return both instanceof SettingsResult.Usable ? both : result(UserFile.absent(user), now);
    }

    /** As {@link #read}, with this content of the user's file. */
    SettingsResult readWith(String content) {
        Parsed admins = parse(admin);
        Parsed users = parseText(user, content);
        Problem problem = admins.problem != null ? admins.problem : users.problem;
        return problem == null ? resolve(users, admins) : new SettingsResult.Refused(List.of(problem));
    }

    private SettingsResult resolve(Parsed users, Parsed admins) {
        return result(
                users.tree == null ? UserFile.absent(user) : UserFile.of(user, users.tree),
                admins.tree == null ? AdminFile.absent(admin) : AdminFile.of(admin, admins.tree));
    }

    private static SettingsResult result(UserFile users, AdminFile admins) {
        EffectiveSettings.Resolved resolved = EffectiveSettings.resolve(users, admins);
        EffectiveSettings made = resolved.settings();
        return made == null ? new SettingsResult.Refused(resolved.problems()) : new SettingsResult.Usable(made);
    }

    /**
     * A file's content.
     *
     * @param tree null if there is none
     * @param text the tree's, without a byte order mark
     * @param problem null if it is JSON, or missing
     */
    record Parsed(
            JsonTree.@Nullable Obj tree,
            String text,
            @Nullable Problem problem) {}

    static Parsed parse(Path file) {
        String text;
        try {
            text = content(file);
        } catch (UnusableException e) {
            return new Parsed(null, "", new Problem(file, "", e.line, e.column, String.valueOf(e.getMessage())));
        }
        return text == null ? new Parsed(null, "", null) : parseText(file, text);
    }

    private static Parsed parseText(Path file, String text) {
        try {
            return new Parsed(JsonReader.read(text), text, null);
        } catch (JsonReader.MalformedException e) {
            return new Parsed(null, text, new Problem(file, "", e.line(), e.column(), String.valueOf(e.getMessage())));
        }
    }

    /** Without a byte order mark; null if there is no file. */
    private static @Nullable String content(Path file) throws UnusableException {
        byte[] bytes;
        try {
            if (Files.exists(file) && !Files.isRegularFile(file)) {
                throw new UnusableException(0, 0, "is not a file"); // a pipe could keep us waiting
            }
            if (Files.size(file) > MAX_BYTES) {
                throw new UnusableException(0, 0, "is larger than " + MAX_BYTES + " bytes");
            }
            bytes = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            return null;
        } catch (IOException e) {
            throw new UnusableException(0, 0, "cannot be read: " + e.getClass().getSimpleName());
        }
        String text = decoded(bytes);
        return !text.isEmpty() && text.charAt(0) == BYTE_ORDER_MARK ? text.substring(1) : text;
    }

    private static String decoded(byte[] bytes) throws UnusableException {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(in).toString();
        } catch (CharacterCodingException e) {
            int line = 1;
            int column = 1;
            for (int i = 0; i < in.position(); i++) {
                column = bytes[i] == '\n' ? 1 : column + 1;
                line += bytes[i] == '\n' ? 1 : 0;
            }
            throw new UnusableException(line, column, "is not UTF-8 text");
        }
    }

    /** Why there is no content. */
    private static final class UnusableException extends Exception {
        private static final long serialVersionUID = 1L;

        private final int line;
        private final int column;

        UnusableException(int line, int column, String message) {
            super(message);
            this.line = line;
            this.column = column;
        }
    }
}
