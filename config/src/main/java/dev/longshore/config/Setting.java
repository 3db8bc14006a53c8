package dev.longshore.config;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One setting: its names, what values it takes, its default, and what becomes of it. Immutable; {@link SettingTable} has
 * all of them.
 *
 * @param key its own name, names of objects and of the member joined by dots: what listings show and what is written
 * @param spellings other names that {@code settings.json} may have for it: Docker Desktop's, and older ones
 * @param adminPaths names that only {@code admin-settings.json} may have for it, besides all others
 * @param type of its values
 * @param fallback the value without any file
 * @param effect when a new value counts
 * @param why nothing acts on it; empty where something does
 * @param description one sentence; with the unit
 */
public record Setting<T>(
        String key,
        List<String> spellings,
        List<String> adminPaths,
        ValueType<T> type,
        T fallback,
        Effect effect,
        String why,
        String description) {
    public Setting {
        spellings = List.copyOf(spellings);
        adminPaths = List.copyOf(adminPaths);
    }

    /** The object that an administrator locks as a whole; null for a setting that is locked alone. */
    public @Nullable String group() {
        for (String group : SettingTable.GROUPS) {
            if (key.startsWith(group + ".")) {
                return group;
            }
        }
        return null;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Setting<?> s && s.key.equals(key);
    }

    @Override
    public int hashCode() {
        return key.hashCode();
    }

    @Override
    public String toString() {
        return key;
    }

    /** When a new value counts, as the end of a sentence. */
    public String whenItCounts() {
        return switch (effect) {
            case LIVE -> "takes effect at once";
            case GUEST_RESTART -> "takes effect at the next start of the guest";
            case NONE_YET -> "accepted, has no effect yet: " + why;
            case UNSUPPORTED -> "not supported: " + why;
        };
    }
}
