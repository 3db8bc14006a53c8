package dev.longshore.policy;

import dev.longshore.config.EgressPolicy;
import dev.longshore.config.EgressPolicy.Action;
import java.util.List;

/**
 * What a policy says to an attempt, and why. Immutable.
 *
 * @param action what the rules say
 * @param decidedBy the rule's name; empty for the default
 * @param mode with {@code DRY_RUN} and {@code OFF} nothing is denied, whatever the rules say
 * @param steps the rules in their order, up to the one that decides
 */
public record Explanation(Attempt attempt, Action action, String decidedBy, EgressPolicy.Mode mode, List<Step> steps) {
    public Explanation {
        steps = List.copyOf(steps);
    }

    /** False if it is let through. */
    public boolean isDenied() {
        return action == Action.DENY && mode == EgressPolicy.Mode.ENFORCE;
    }

    /**
     * One rule.
     *
     * @param dryRun it is on trial: it decides nothing
     * @param why it does not fit; empty if it does
     */
    public record Step(String rule, Action action, boolean dryRun, boolean fits, String why) {}
}
