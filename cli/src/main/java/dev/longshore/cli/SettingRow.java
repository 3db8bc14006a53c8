package dev.longshore.cli;

import dev.longshore.config.EffectiveSettings;
import dev.longshore.proto.control.v1.Setting;
import dev.longshore.proto.control.v1.SettingEffect;
import dev.longshore.proto.control.v1.SettingSource;
import java.nio.file.Path;
import java.util.List;

/**
 * One setting as it is shown, whether a daemon told it or the files did. Immutable.
 *
 * @param valueJson without secrets
 * @param source {@code default}, {@code user} or {@code admin}
 * @param lockedBy the administrator's file; empty if it is not locked
 * @param effect {@code at once}, {@code guest restart}, …
 * @param effectText the same as the end of a sentence
 * @param pending a guest that runs has another value
 */
record SettingRow(
        String key,
        List<String> otherNames,
        String valueJson,
        String defaultJson,
        String source,
        String lockedBy,
        String effect,
        String effectText,
        String description,
        boolean pending) {
    static SettingRow of(Setting s) {
        return new SettingRow(
                s.getKey(),
                List.copyOf(s.getOtherNamesList()),
                s.getValueJson(),
                s.getDefaultJson(),
                word(s.getSource()),
                s.getLockedBy(),
                word(s.getEffect()),
                s.getEffectText(),
                s.getDescription(),
                s.getPending());
    }

    static SettingRow of(EffectiveSettings.Entry<?> entry, Path adminFile) {
        dev.longshore.config.Setting<?> s = entry.setting();
        return new SettingRow(
                s.key(),
                s.spellings(),
                entry.shownJson(),
                entry.defaultJson(),
                switch (entry.source()) {
                    case DEFAULT -> "default";
                    case USER -> "user";
                    case ADMIN -> "admin";
                },
                entry.locked() ? adminFile.toString() : "",
                switch (s.effect()) {
                    case LIVE -> "at once";
                    case GUEST_RESTART -> "guest restart";
                    case NONE_YET -> "not yet";
                    case UNSUPPORTED -> "not supported";
                },
                s.whenItCounts(),
                s.description(),
                false);
    }

    private static String word(SettingSource source) {
        return switch (source) {
            case SETTING_SOURCE_DEFAULT -> "default";
            case SETTING_SOURCE_USER -> "user";
            case SETTING_SOURCE_ADMIN -> "admin";
            case SETTING_SOURCE_UNSPECIFIED, UNRECOGNIZED -> "unknown";
        };
    }

    private static String word(SettingEffect effect) {
        return switch (effect) {
            case SETTING_EFFECT_LIVE -> "at once";
            case SETTING_EFFECT_GUEST_RESTART -> "guest restart";
            case SETTING_EFFECT_DAEMON_RESTART -> "daemon restart";
            case SETTING_EFFECT_NONE_YET -> "not yet";
            case SETTING_EFFECT_UNSUPPORTED -> "not supported";
            case SETTING_EFFECT_UNSPECIFIED, UNRECOGNIZED -> "unknown";
        };
    }

    boolean locked() {
        return !lockedBy.isEmpty();
    }
}
