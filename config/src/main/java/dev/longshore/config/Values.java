package dev.longshore.config;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Something for settings, at most one for each, in the settings' own types. Confined to its owner. */
final class Values {
    private final Map<Setting<?>, Object> values = new LinkedHashMap<>();

    <T> void put(Setting<T> setting, T value) {
        values.put(setting, value);
    }

    boolean has(Setting<?> setting) {
        return values.containsKey(setting);
    }

    /** Null if there is none. */
    @SuppressWarnings("unchecked") // put in by the same setting
    <T> @Nullable T get(Setting<T> setting) {
        return (T) values.get(setting);
    }

    /** {@code put} for a setting whose type is not known here. Throws what its type says of a bad value. */
    <T> void read(Setting<T> setting, JsonTree value) {
        put(setting, setting.type().read(value));
    }
}
