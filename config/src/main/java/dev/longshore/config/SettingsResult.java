package dev.longshore.config;

import java.util.List;

/** How reading the settings ended. Immutable. */
public sealed interface SettingsResult {
    /** Usable; its warnings are about what is ignored. */
    record Usable(EffectiveSettings effective) implements SettingsResult {
        public Settings settings() {
            return effective.settings();
        }

        public List<Problem> warnings() {
            return effective.warnings();
        }
    }

    /** Not usable: all the problems found, at least one. The files stay as they are. */
    record Refused(List<Problem> problems) implements SettingsResult {
        public Refused {
            problems = List.copyOf(problems);
        }
    }
}
