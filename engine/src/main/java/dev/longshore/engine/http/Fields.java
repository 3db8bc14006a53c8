package dev.longshore.engine.http;

import java.util.List;
import java.util.function.Predicate;

/** The field lines of a head, in the order they came; names compare without case. Immutable. */
public record Fields(List<Field> lines) {
    /** One line. {@code value} has no blanks around it; neither part has a CR, LF or NUL. Immutable. */
    public record Field(String name, String value) {
        public boolean is(String other) {
            return name.equalsIgnoreCase(other);
        }
    }

    public Fields {
        lines = List.copyOf(lines);
    }

    public List<String> all(String name) {
        return lines.stream().filter(f -> f.is(name)).map(Field::value).toList();
    }

    public boolean has(String name) {
        return lines.stream().anyMatch(f -> f.is(name));
    }

    /** The first of that name, or "". */
    public String first(String name) {
        return lines.stream()
                .filter(f -> f.is(name))
                .map(Field::value)
                .findFirst()
                .orElse("");
    }

    /** True if {@code token} is a member of a comma-separated list field (RFC 9110 §5.6.1); both compare without case. */
    public boolean hasToken(String name, String token) {
        for (String value : all(name)) {
            for (String member : value.split(",", -1)) {
                if (Chars.trim(member).equalsIgnoreCase(token)) {
                    return true;
                }
            }
        }
        return false;
    }

    /** Those that are {@code kept}, as lines on the wire. */
    String text(Predicate<Field> kept) {
        StringBuilder text = new StringBuilder();
        for (Field f : lines) {
            if (kept.test(f)) {
                text.append(f.name()).append(": ").append(f.value()).append("\r\n");
            }
        }
        return text.toString();
    }
}
