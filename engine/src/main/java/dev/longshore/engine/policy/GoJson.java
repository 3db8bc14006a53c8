package dev.longshore.engine.policy;

import java.io.Serial;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.cfg.JsonNodeFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * JSON as Go's encoding/json reads it into structs: names of members match without case. Where Go would see two values for
 * one name, or something else than this parser does, there is no answer but an exception. Immutable; thread-safe.
 *
 * <p>Numbers keep their digits, members their order, and members nobody knows stay.
 */
final class GoJson {
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .enable(DeserializationFeature.USE_BIG_INTEGER_FOR_INTS)
            .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();

    private GoJson() {}

    /** The same member twice, in other letters. Its text is for the user. */
    static final class Ambiguous extends RuntimeException {
        @Serial
        private static final long serialVersionUID = 1;

        Ambiguous(String name) {
            super("the request's JSON has the member " + name + " twice", null, false, false);
        }
    }

    static JsonNode parse(byte[] json) throws JacksonException {
        return MAPPER.readTree(json);
    }

    static byte[] bytes(JsonNode node) throws JacksonException {
        return MAPPER.writeValueAsBytes(node);
    }

    /**
     * What Go reads into a struct's field of that name. Go folds by Unicode's simple rules, as equalsIgnoreCase does or
     * less: {@code ſ} and the Kelvin sign match there and here.
     *
     * @return a missing node if there is none, or if {@code object} is not an object
     */
    static JsonNode member(JsonNode object, String name) {
        String key = key(object, name);
        return key == null ? tools.jackson.databind.node.MissingNode.getInstance() : object.path(key);
    }

    /** The name under which {@link #member} found it. */
    static @Nullable String key(JsonNode object, String name) {
        String found = null;
        for (Map.Entry<String, JsonNode> member : object.properties()) {
            if (member.getKey().equalsIgnoreCase(name)) {
                if (found != null) {
                    throw new Ambiguous(name);
                }
                found = member.getKey();
            }
        }
        return found;
    }
}
