package dev.longshore.proxy.message;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The fields of a message's header or trailer section, in the order they came; names compare without case.
 * Confined to the connection's event loop.
 */
public final class Fields implements Iterable<Fields.Field> {
    /** One field line, checked by {@link HeadReader} or written by us, so that it holds no CR, LF or NUL. Immutable. */
    public record Field(String name, String value) {
        boolean is(String other) {
            return name.equalsIgnoreCase(other);
        }
    }

    private final List<Field> lines = new ArrayList<>();

    public Fields add(String name, String value) {
        lines.add(new Field(name, value));
        return this;
    }

    /** Replaces all fields of that name by one. */
    public Fields set(String name, String value) {
        remove(name);
        return add(name, value);
    }

    public Fields remove(String name) {
        lines.removeIf(f -> f.is(name));
        return this;
    }

    public void removeIf(Predicate<Field> unwanted) {
        lines.removeIf(unwanted);
    }

    /** Joins a continuation line (obs-fold, RFC 9112 §5.2) to the last field. */
    public void unfold(String continuation) {
        Field last = lines.removeLast();
        add(last.name, (last.value + " " + continuation).strip());
    }

    public boolean has(String name) {
        return first(name) != null;
    }

    @Nullable
    public String first(String name) {
        for (Field f : lines) {
            if (f.is(name)) {
                return f.value;
            }
        }
        return null;
    }

    public List<String> all(String name) {
        return lines.stream().filter(f -> f.is(name)).map(Field::value).toList();
    }

    /** The members of a comma-separated list field in lower case; empty members are dropped (RFC 9110 §5.6.1.2). */
    public List<String> tokens(String name) {
        List<String> tokens = new ArrayList<>();
        for (String value : all(name)) {
            for (String member : value.split(",", -1)) {
                String token = member.strip().toLowerCase(Locale.ROOT);
                if (!token.isEmpty()) {
                    tokens.add(token);
                }
            }
        }
        return tokens;
    }

    public int size() {
        return lines.size();
    }

    public boolean isEmpty() {
        return lines.isEmpty();
    }

    public Fields copy() {
        Fields copy = new Fields();
        copy.lines.addAll(lines);
        return copy;
    }

    @Override
    public Iterator<Field> iterator() {
        return lines.iterator();
    }
}
