package dev.longshore.config;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Takes the known keys out of one JSON object, with a default for each; what is wrong is added to a list instead of
 * thrown, so that all problems of a file are told at once. Confined to the thread that reads the file.
 */
final class FieldReader {
    private final String prefix;
    private final JsonTree.@Nullable Obj object;
    private final List<Problem> problems;
    private final List<Problem> warnings;
    private final Set<String> known = new HashSet<>();

    /** @param object null if the file does not have this object: everything is default */
    FieldReader(String prefix, JsonTree.@Nullable Obj object, List<Problem> problems, List<Problem> warnings) {
        this.prefix = prefix;
        this.object = object;
        this.problems = problems;
        this.warnings = warnings;
    }

    FieldReader object(String key) {
        JsonTree.Obj inner =
                switch (find(key)) {
                    case null -> null;
                    case JsonTree.Obj o -> o;
                    case JsonTree other -> {
                        problem(key, other, "must be an object {…}");
                        yield null;
                    }
                };
        return new FieldReader(prefix + key + ".", inner, problems, warnings);
    }

    boolean bool(String key, boolean fallback) {
        return switch (find(key)) {
            case null -> fallback;
            case JsonTree.Bool b -> b.value();
            case JsonTree other -> {
                problem(key, other, "must be true or false");
                yield fallback;
            }
        };
    }

    int integer(String key, int fallback, int least, int greatest) {
        JsonTree found = find(key);
        if (found == null) {
            return fallback;
        }
        if (found instanceof JsonTree.Int i && i.value() >= least && i.value() <= greatest) {
            return (int) i.value();
        }
        problem(key, found, "must be a whole number from " + least + " to " + greatest);
        return fallback;
    }

    <E extends Enum<E>> E choice(String key, E fallback, E[] values) {
        JsonTree found = find(key);
        if (found == null) {
            return fallback;
        }
        List<String> words = new ArrayList<>();
        for (E value : values) {
            words.add(word(value));
            if (found instanceof JsonTree.Text t && t.value().equals(word(value))) {
                return value;
            }
        }
        problem(key, found, "must be one of " + String.join(", ", words));
        return fallback;
    }

    /** {@code parse} throws IllegalArgumentException with a text for the user. */
    <T> T parsed(String key, T fallback, Function<String, T> parse) {
        JsonTree found = find(key);
        if (found == null) {
            return fallback;
        }
        if (!(found instanceof JsonTree.Text text)) {
            problem(key, found, "must be a text in quotes");
            return fallback;
        }
        try {
            return parse.apply(text.value());
        } catch (IllegalArgumentException e) {
            problem(key, found, String.valueOf(e.getMessage()));
            return fallback;
        }
    }

    List<InetAddress> addresses(String key, List<InetAddress> fallback) {
        JsonTree found = find(key);
        if (found == null) {
            return fallback;
        }
        if (!(found instanceof JsonTree.Arr array)) {
            problem(key, found, "must be a list of IP addresses");
            return fallback;
        }
        List<InetAddress> addresses = new ArrayList<>();
        for (JsonTree item : array.items()) {
            InetAddress address = item instanceof JsonTree.Text t ? literal(t.value()) : null;
            if (address == null) {
                problem(key, item, "must be a list of IP addresses, each in quotes");
            } else {
                addresses.add(address);
            }
        }
        return addresses;
    }

    /** Adds a problem found by the caller. */
    void reject(String key, String text) {
        JsonTree at = object == null ? null : object.fields().get(key);
        problems.add(new Problem(prefix + key, at == null ? 0 : at.line(), text));
    }

    /** Warns of the keys that nobody asked for; call last. */
    void warnOfOthers() {
        if (object == null) {
            return;
        }
        object.fields().forEach((name, value) -> {
            if (!known.contains(name)) {
                warnings.add(new Problem(prefix + name, value.line(), "unknown key, ignored" + hint(name)));
            }
        });
        object.repeated()
                .forEach(name ->
                        warnings.add(new Problem(prefix + name, object.line(), "given twice; the last counts")));
    }

    private String hint(String name) {
        for (String candidate : known) {
            if (candidate.equalsIgnoreCase(name) || distance(candidate, name) <= 2) {
                return "; did you mean " + candidate + "?";
            }
        }
        return "";
    }

    private @Nullable JsonTree find(String key) {
        known.add(key);
        return object == null ? null : object.fields().get(key);
    }

    private void problem(String key, JsonTree at, String text) {
        problems.add(new Problem(prefix + key, at.line(), text));
    }

    /** DEFAULT_PORT_BINDING is written default-port-binding. */
    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** Null unless the text is an address literal; names are never looked up. */
    private static @Nullable InetAddress literal(String text) {
        if (!text.matches("[0-9]+(\\.[0-9]+){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")) {
            return null;
        }
        try {
            return InetAddress.getByName(text);
        } catch (UnknownHostException e) {
            return null;
        }
    }

    /** Levenshtein's: insertions, deletions and replacements. */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }
}
