package dev.longshore.control;

import dev.longshore.config.EffectiveSettings;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** What the control socket asks of the settings. Thread-safe. */
public interface SettingsControl {
    /** What holds. Fails with WRONG_STATE if nothing does. */
    Outcome<View> view();

    /** Sets one setting, by any of its names, to what a user types. Fails with the reasons of {@code settings.proto}. */
    CompletionStage<Outcome<Changed>> set(String key, String value);

    /** Takes one setting out of the user's file. */
    CompletionStage<Outcome<Changed>> unset(String key);

    /** Calls {@code wake} after each change of what {@link #view} gives; on any thread, so it must be quick. */
    Events.Subscription onChange(Runnable wake);

    /**
     * All settings. Immutable; its texts quote no secrets.
     *
     * @param pending keys whose values the running guest does not have yet
     * @param problems why a file can't be used as it is now; then {@code settings} are those from before
     */
    record View(EffectiveSettings settings, List<String> pending, List<String> warnings, List<String> problems) {}

    /**
     * What a change did.
     *
     * @param key of the setting that was named
     * @param also keys of others that are different now
     * @param notes for the user
     */
    record Changed(View view, String key, List<String> also, List<String> notes) {}

    /** Of a program that has no settings of its own. */
    static SettingsControl none(String why) {
        return new SettingsControl() {
            @Override
            public Outcome<View> view() {
                return new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, why);
            }

            @Override
            public CompletionStage<Outcome<Changed>> set(String key, String value) {
                return CompletableFuture.completedStage(new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, why));
            }

            @Override
            public CompletionStage<Outcome<Changed>> unset(String key) {
                return set(key, "");
            }

            @Override
            public Events.Subscription onChange(Runnable wake) {
                return () -> {};
            }
        };
    }
}
