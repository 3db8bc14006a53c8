package dev.longshore.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Folders of the host in settings: absolute, or with a variable at the front. */
final class SharedPaths {
    private static final List<String> VARIABLES = List.of("$HOME", "$TMP", "$TEMP");

    private SharedPaths() {}

    /** The same text, or IllegalArgumentException for the user. */
    static String check(String text) {
        boolean variable = VARIABLES.stream().anyMatch(v -> text.equals(v) || text.startsWith(v + "/"));
        if (!variable && !text.startsWith("/")) {
            throw new IllegalArgumentException(
                    "must be a list of absolute paths, or of paths that begin with $HOME, $TMP or $TEMP");
        }
        return text;
    }

    /**
     * A checked text as a path, without {@code .} and {@code ..}.
     *
     * @param values of the variables, with their dollars
     */
    static Path expand(String text, Map<String, String> values) {
        for (Map.Entry<String, String> variable : values.entrySet()) {
            if (text.equals(variable.getKey()) || text.startsWith(variable.getKey() + "/")) {
                return Path.of(variable.getValue()
                                + text.substring(variable.getKey().length()))
                        .normalize();
            }
        }
        return Path.of(text).normalize();
    }

    /**
     * The variables' values as the system has them, not as the environment says: who may set the environment must not
     * move a bound that an administrator has set.
     */
    static Map<String, String> ofSystem() {
        return ofUser(Map.of());
    }

    /** As this user has them: {@code HOME} of the environment counts, as in a shell. */
    static Map<String, String> ofUser(Map<String, String> environment) {
        String tmp = System.getProperty("java.io.tmpdir", "/tmp");
        String home = environment.getOrDefault("HOME", "");
        return Map.of(
                "$HOME", home.startsWith("/") ? home : System.getProperty("user.home", "/"), "$TMP", tmp, "$TEMP", tmp);
    }
}
