package dev.longshore.policy;

import dev.longshore.config.EgressPolicy;
import java.util.List;

/**
 * A policy and what it has done since it is in force. Immutable.
 *
 * @param defaults decisions by default
 * @param connections open, that another policy could end
 * @param names addresses whose names are known
 */
public record PolicyUse(EgressPolicy policy, List<RuleUse> rules, long defaults, int connections, int names) {
    public PolicyUse {
        rules = List.copyOf(rules);
    }

    /**
     * One rule.
     *
     * @param decisions made by it
     * @param trials attempts that it was the first rule on trial to fit
     */
    public record RuleUse(EgressPolicy.Rule rule, long decisions, long trials) {}
}
