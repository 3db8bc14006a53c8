package dev.longshore.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/** JSON with the line of each value, which Jackson's own tree does not keep. Immutable once read. */
sealed interface JsonTree {
    /** Where the value starts, 1 and up. */
    int line();

    /** A key that occurs twice is in {@code repeated}, and the last value counts. */
    record Obj(int line, Map<String, JsonTree> fields, List<String> repeated) implements JsonTree {}

    record Arr(int line, List<JsonTree> items) implements JsonTree {}

    record Text(int line, String value) implements JsonTree {}

    record Bool(int line, boolean value) implements JsonTree {}

    /** A number that fits a long and has no fraction. */
    record Int(int line, long value) implements JsonTree {}

    /** null, a fraction, or a number too large: nothing any setting takes. */
    record Other(int line, String value) implements JsonTree {}

    /** Reads the value whose first token the parser has just read. Throws Jackson's exceptions for malformed input. */
    static JsonTree read(JsonParser parser) {
        int line = parser.currentTokenLocation().getLineNr();
        return switch (parser.currentToken()) {
            case START_OBJECT -> readObject(parser, line);
            case START_ARRAY -> readArray(parser, line);
            case VALUE_STRING -> new Text(line, parser.getString());
            case VALUE_TRUE, VALUE_FALSE -> new Bool(line, parser.getBooleanValue());
            case VALUE_NUMBER_INT -> readNumber(parser, line);
            case VALUE_NUMBER_FLOAT, VALUE_NULL -> new Other(line, parser.getString());
            case NOT_AVAILABLE, END_OBJECT, END_ARRAY, PROPERTY_NAME, VALUE_EMBEDDED_OBJECT ->
                throw new IllegalStateException("no value at " + parser.currentToken());
        };
    }

    private static JsonTree readNumber(JsonParser parser, int line) {
        return switch (parser.getNumberType()) {
            case INT, LONG -> new Int(line, parser.getLongValue());
            case BIG_INTEGER, FLOAT, DOUBLE, BIG_DECIMAL -> new Other(line, parser.getString());
        };
    }

    private static Obj readObject(JsonParser parser, int line) {
        Map<String, JsonTree> fields = new LinkedHashMap<>();
        List<String> repeated = new ArrayList<>();
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            parser.nextToken();
            if (fields.put(name, read(parser)) != null) {
                repeated.add(name);
            }
        }
        return new Obj(line, fields, repeated);
    }

    private static Arr readArray(JsonParser parser, int line) {
        List<JsonTree> items = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            items.add(read(parser));
        }
        return new Arr(line, items);
    }
}
