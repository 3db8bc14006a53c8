package dev.longshore.config;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The kinds of values that settings have. */
final class ValueTypes {
    private ValueTypes() {}

    static final ValueType<Boolean> BOOL = new Bool();

    /** A whole number, both bounds included. */
    static ValueType<Integer> whole(int least, int greatest) {
        return new Whole(least, greatest);
    }

    /** One word for each constant: {@code DUAL_STACK} is written {@code dual-stack}. */
    static <E extends Enum<E>> ValueType<E> word(List<E> constants) {
        return new Word<>(constants, ValueTypes::wordOf);
    }

    static <E extends Enum<E>> ValueType<E> word(Function<E, String> word, List<E> constants) {
        return new Word<>(constants, word);
    }

    /** {@code parse} throws IllegalArgumentException with a text for the user; the value's {@code toString} is written. */
    static <T> ValueType<T> text(Function<String, T> parse, String pattern) {
        return new Parsed<>(parse, pattern);
    }

    /** A text with secrets; {@code check} throws as above, without quoting it. */
    static ValueType<Secret> secret(Function<String, Secret> check, String pattern) {
        return new Hidden(check, pattern);
    }

    /** A list of texts, or one text with commas; {@code check} gives each back as it is to be kept, or throws. */
    static ValueType<List<String>> texts(UnaryOperator<String> check) {
        return new Texts(check);
    }

    /** Address literals: a list, or one text with commas; written as a list, or as such a text. */
    static ValueType<List<InetAddress>> addresses(boolean asList) {
        return new Addresses(asList);
    }

    static String wordOf(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    private static IllegalArgumentException must(String text) {
        return new IllegalArgumentException("must be " + text);
    }

    private static String textOf(JsonTree value) {
        if (value instanceof JsonTree.Text t) {
            return t.value();
        }
        throw must("a text in quotes");
    }

    private static JsonTree.Text textTree(String text) {
        return new JsonTree.Text(JsonTree.Place.NONE, text);
    }

    /** The items of a list, or of a text with commas. */
    private static List<String> items(JsonTree value, String what) {
        return switch (value) {
            case JsonTree.Text t -> split(t.value());
            case JsonTree.Arr a -> {
                List<String> items = new ArrayList<>();
                for (JsonTree item : a.items()) {
                    if (!(item instanceof JsonTree.Text t)) {
                        throw must("a list of " + what + ", each in quotes");
                    }
                    items.add(t.value().strip());
                }
                yield items;
            }
            case JsonTree _ -> throw must("a list of " + what);
        };
    }

    private static List<String> split(String text) {
        return Arrays.stream(text.split(",", -1))
                .map(String::strip)
                .filter(s -> !s.isEmpty())
                .toList();
    }

    /** {@code ["a", "b"]} as it is, {@code a,b} as a list too. */
    private static JsonTree typedList(String text) {
        String stripped = text.strip();
        if (stripped.startsWith("[")) {
            try {
                JsonTree.Member only =
                        JsonReader.read("{\"\":" + stripped + "}").find("");
                if (only != null) {
                    return only.value();
                }
            } catch (JsonReader.MalformedException e) {
                throw new IllegalArgumentException("is no list: " + e.getMessage(), e);
            }
        }
        return textTree(stripped);
    }

    /** RFC 5952 §4: the longest run of zero fields is left out. */
    static String addressText(InetAddress address) {
        String full = address.getHostAddress();
        if (address.getAddress().length == 4) {
            return full;
        }
        for (int fields = 8; fields > 1; fields--) {
            Matcher zeros = Pattern.compile("(?<![^:])0(:0){" + (fields - 1) + "}(?![^:])")
                    .matcher(full);
            if (zeros.find()) {
                String before = full.substring(0, zeros.start()).replaceFirst(":$", "");
                String after = full.substring(zeros.end()).replaceFirst("^:", "");
                return before + "::" + after;
            }
        }
        return full;
    }

    private static Map<String, Object> schemaOf(Object... keysAndValues) {
        Map<String, Object> schema = new LinkedHashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            schema.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return schema;
    }

    private record Bool() implements ValueType<Boolean> {
        @Override
        public Boolean read(JsonTree value) {
            if (value instanceof JsonTree.Bool b) {
                return b.value();
            }
            throw must("true or false");
        }

        @Override
        public JsonTree typed(String text) {
            return switch (text.strip()) {
                case "true" -> new JsonTree.Bool(JsonTree.Place.NONE, true);
                case "false" -> new JsonTree.Bool(JsonTree.Place.NONE, false);
                default -> textTree(text);
            };
        }

        @Override
        public Object written(Boolean value) {
            return value;
        }

        @Override
        public Map<String, Object> schema() {
            return schemaOf("type", "boolean");
        }
    }

    private record Whole(int least, int greatest) implements ValueType<Integer> {
        @Override
        public Integer read(JsonTree value) {
            if (value instanceof JsonTree.Int i && i.value() >= least && i.value() <= greatest) {
                return (int) i.value();
            }
            throw must("a whole number from " + least + " to " + greatest);
        }

        @Override
        public JsonTree typed(String text) {
            return text.strip().matches("-?[0-9]{1,18}")
                    ? new JsonTree.Int(JsonTree.Place.NONE, Long.parseLong(text.strip()))
                    : textTree(text);
        }

        @Override
        public Object written(Integer value) {
            return value;
        }

        @Override
        public Map<String, Object> schema() {
            return schemaOf("type", "integer", "minimum", least, "maximum", greatest);
        }
    }

    private record Word<E extends Enum<E>>(List<E> constants, Function<E, String> word) implements ValueType<E> {
        @Override
        public E read(JsonTree value) {
            for (E constant : constants) {
                if (value instanceof JsonTree.Text t && t.value().equals(word.apply(constant))) {
                    return constant;
                }
            }
            throw must("one of "
                    + String.join(
                            ", ",
                            words().stream().map(w -> w.isEmpty() ? "\"\"" : w).toList()));
        }

        private List<String> words() {
            return constants.stream().map(word).toList();
        }

        @Override
        public JsonTree typed(String text) {
            return textTree(text.strip());
        }

        @Override
        public Object written(E value) {
            return word.apply(value);
        }

        @Override
        public Map<String, Object> schema() {
            return schemaOf("type", "string", "enum", words());
        }
    }

    private record Parsed<T>(Function<String, T> parse, String pattern) implements ValueType<T> {
        @Override
        public T read(JsonTree value) {
            return parse.apply(textOf(value));
        }

        @Override
        public JsonTree typed(String text) {
            return textTree(text.strip());
        }

        @Override
        public Object written(T value) {
            return String.valueOf(value);
        }

        @Override
        public Map<String, Object> schema() {
            return schemaOf("type", "string", "pattern", pattern);
        }
    }

    private record Hidden(Function<String, Secret> check, String pattern) implements ValueType<Secret> {
        @Override
        public Secret read(JsonTree value) {
            return check.apply(textOf(value));
        }

        @Override
        public JsonTree typed(String text) {
            return textTree(text);
        }

        @Override
        public Object written(Secret value) {
            return value.reveal();
        }

        @Override
        public Object shown(Secret value) {
            return value.toString();
        }

        @Override
        public Map<String, Object> schema() {
            return pattern.isEmpty() ? schemaOf("type", "string") : schemaOf("type", "string", "pattern", pattern);
        }
    }

    private record Texts(UnaryOperator<String> check) implements ValueType<List<String>> {
        @Override
        public List<String> read(JsonTree value) {
            return items(value, "texts").stream().map(check).toList();
        }

        @Override
        public JsonTree typed(String text) {
            return typedList(text);
        }

        @Override
        public Object written(List<String> value) {
            return value;
        }

        @Override
        public Map<String, Object> schema() {
            return schemaOf(
                    "anyOf",
                    List.of(
                            schemaOf("type", "array", "items", schemaOf("type", "string")),
                            schemaOf("type", "string", "description", "the same, separated by commas")));
        }
    }

    private record Addresses(boolean asList) implements ValueType<List<InetAddress>> {
        @Override
        public List<InetAddress> read(JsonTree value) {
            return items(value, "IP addresses").stream().map(Addresses::literal).toList();
        }

        /** Names are never looked up. */
        private static InetAddress literal(String text) {
            if (text.matches("[0-9]+(\\.[0-9]+){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")) {
                try {
                    return InetAddress.ofLiteral(text);
                } catch (IllegalArgumentException e) {
                    throw new IllegalArgumentException("must be a list of IP addresses", e);
                }
            }
            throw must("a list of IP addresses");
        }

        @Override
        public JsonTree typed(String text) {
            return typedList(text);
        }

        @Override
        public Object written(List<InetAddress> value) {
            List<String> texts = value.stream().map(ValueTypes::addressText).toList();
            return asList ? texts : String.join(",", texts);
        }

        @Override
        public Map<String, Object> schema() {
            return new Texts(UnaryOperator.identity()).schema();
        }
    }
}
