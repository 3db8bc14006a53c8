package dev.longshore.policy;

import dev.longshore.config.EgressPolicy.Action;

/** Hears of decisions that somebody should know; not of all, see {@link Brake}. Called on the link's event loop; quick. */
public interface DecisionListener {
    void onDecision(Decided decided);

    /**
     * One decision. Immutable.
     *
     * @param rule that has decided, or would have; empty for the default
     * @param action what that says
     * @param dryRun true if it was not obeyed
     * @param like decisions like this one that were not told of since the last that was
     */
    record Decided(Attempt attempt, String rule, Action action, boolean dryRun, long like) {
        /** As in {@code denied: tcp container web -> 192.0.2.1:443: by rule 'lan'}. */
        public String text() {
            String verb = action == Action.DENY ? "denied" : "allowed";
            return (dryRun ? "dry run, would be " : "") + verb + ": " + attempt + ": " + by(rule)
                    + (like > 0 ? " (" + like + " more like this since the last time)" : "");
        }
    }

    /** The end of a sentence: {@code by rule 'lan'}, {@code by default}. */
    static String by(String rule) {
        return rule.isEmpty() ? "by default" : "by rule '" + rule + "'";
    }
}
