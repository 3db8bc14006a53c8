package dev.longshore.config;

import java.util.Map;

/** How one kind of value is written in JSON, typed on a command line, checked and described. Immutable. */
interface ValueType<T> {
    /** The value. Throws IllegalArgumentException with a sentence for the user that quotes no secret. */
    T read(JsonTree value);

    /** What a user types as an argument, as the JSON it stands for; {@link #read} checks it. */
    JsonTree typed(String text);

    /** As JSON: a Boolean, an Integer, a String, or a list of such; with its secrets. */
    Object written(T value);

    /** The same without secrets. */
    default Object shown(T value) {
        return written(value);
    }

    /** JSON Schema, 2020-12. */
    Map<String, Object> schema();
}
