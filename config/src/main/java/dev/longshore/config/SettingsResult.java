package dev.longshore.config;

import java.util.List;

/** How reading a settings file ended. Immutable. */
public sealed interface SettingsResult {
    /** Usable; {@code warnings} are about keys that nobody reads. */
    record Usable(Settings settings, List<Problem> warnings) implements SettingsResult {
        public Usable {
            warnings = List.copyOf(warnings);
        }
    }

    /** Not usable: all the problems found, at least one. The file stays as it is. */
    record Refused(List<Problem> problems) implements SettingsResult {
        public Refused {
            problems = List.copyOf(problems);
        }
    }
}
