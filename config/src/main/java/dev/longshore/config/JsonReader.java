package dev.longshore.config;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;

/**
 * Reads the one object of a settings file, in which comments and trailing commas are allowed, with all places. Confined to
 * one reading.
 */
final class JsonReader {
    private static final int MAX_DEPTH = 32;

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(JsonReadFeature.ALLOW_JAVA_COMMENTS)
            .enable(JsonReadFeature.ALLOW_TRAILING_COMMA)
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build())
            .build();

    /** What Jackson quotes of the text, where it says more than one char: it may be part of a password. */
    private static final Pattern QUOTED = Pattern.compile("'[^']{2,}'|\"[^\"]{2,}\"");

    /** Jackson's note on where an object began, whose place it has not been told. */
    private static final Pattern SOURCE = Pattern.compile(" ?\\(start marker at \\[[^]]*]\\)");

    private final JsonParser parser;
    private final String text;

    private JsonReader(JsonParser parser, String text) {
        this.parser = parser;
        this.text = text;
    }

    /** Throws what is wrong with the text, without quoting it: it may hold secrets. */
    static JsonTree.Obj read(String text) throws MalformedException {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), text)) {
            if (parser.nextToken() == null) {
                throw new MalformedException(0, 0, "the file is empty; delete it, or write {} for the defaults");
            }
            JsonTree tree = new JsonReader(parser, text).value();
            if (parser.nextToken() != null) {
                TokenStreamLocation at = parser.currentTokenLocation();
                throw new MalformedException(
                        at.getLineNr(), at.getColumnNr(), "there is more after the end of the object");
            }
            if (tree instanceof JsonTree.Obj o) {
                return o;
            }
            throw new MalformedException(tree.at().line(), tree.at().column(), "the file must be an object {…}");
        } catch (JacksonException e) {
            TokenStreamLocation at = e.getLocation();
            throw new MalformedException(
                    at == null ? 0 : Math.max(0, at.getLineNr()),
                    at == null ? 0 : Math.max(0, at.getColumnNr()),
                    "not JSON: " + reason(e.getOriginalMessage()));
        }
    }

    private static String reason(String jacksons) {
        if (jacksons.startsWith("Unrecognized token")) {
            return "a word that is neither in quotes nor true, false, null or a number";
        }
        return QUOTED.matcher(SOURCE.matcher(jacksons).replaceAll("")).replaceAll("…");
    }

    /** The value whose first token the parser has just read. */
    private JsonTree value() {
        TokenStreamLocation at = parser.currentTokenLocation();
        return switch (parser.currentToken()) {
            case START_OBJECT -> object(at);
            case START_ARRAY -> array(at);
            case VALUE_STRING -> {
                String value = parser.getString(); // first: it reads to the end of the string, if there is one
                yield new JsonTree.Text(place(at, endOfString(start(at))), value);
            }
            case VALUE_TRUE, VALUE_FALSE ->
                new JsonTree.Bool(place(at, endOfWord(start(at))), parser.getBooleanValue());
            case VALUE_NUMBER_INT -> number(place(at, endOfWord(start(at))));
            case VALUE_NUMBER_FLOAT, VALUE_NULL -> new JsonTree.Other(place(at, endOfWord(start(at))));
            case NOT_AVAILABLE, END_OBJECT, END_ARRAY, PROPERTY_NAME, VALUE_EMBEDDED_OBJECT ->
                throw new IllegalStateException("no value at " + parser.currentToken());
        };
    }

    private JsonTree number(JsonTree.Place place) {
        return switch (parser.getNumberType()) {
            case INT, LONG -> new JsonTree.Int(place, parser.getLongValue());
            case BIG_INTEGER, FLOAT, DOUBLE, BIG_DECIMAL -> new JsonTree.Other(place);
        };
    }

    private JsonTree.Obj object(TokenStreamLocation at) {
        List<JsonTree.Member> members = new ArrayList<>();
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            int start = start(parser.currentTokenLocation());
            parser.nextToken();
            members.add(new JsonTree.Member(name, start, value()));
        }
        return new JsonTree.Obj(place(at, start(parser.currentTokenLocation()) + 1), members);
    }

    private JsonTree.Arr array(TokenStreamLocation at) {
        List<JsonTree> items = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            items.add(value());
        }
        return new JsonTree.Arr(place(at, start(parser.currentTokenLocation()) + 1), items);
    }

    private static int start(TokenStreamLocation at) {
        return (int) at.getCharOffset();
    }

    private static JsonTree.Place place(TokenStreamLocation at, int end) {
        return new JsonTree.Place(at.getLineNr(), at.getColumnNr(), start(at), end);
    }

    private int endOfString(int quote) {
        int i = quote + 1;
        while (text.charAt(i) != '"') {
            i += text.charAt(i) == '\\' ? 2 : 1;
        }
        return i + 1;
    }

    private int endOfWord(int start) {
        int i = start;
        while (i < text.length() && ",]}/ \t\r\n".indexOf(text.charAt(i)) < 0) {
            i++;
        }
        return i;
    }

    /** Why a text is not the object of a settings file; the message quotes at most single chars of it. */
    static final class MalformedException extends Exception {
        private static final long serialVersionUID = 1L;

        private final int line;
        private final int column;

        MalformedException(int line, int column, String message) {
            super(message);
            this.line = line;
            this.column = column;
        }

        int line() {
            return line;
        }

        int column() {
            return column;
        }
    }
}
