package dev.longshore.policy;

import dev.longshore.config.EgressPolicy;
import dev.longshore.config.EgressPolicy.To;
import java.util.HashSet;
import java.util.Set;

/** A policy, made for being asked often. Immutable. */
final class CompiledPolicy {
    /** No rule has decided. */
    static final int BY_DEFAULT = -1;

    /** It depends on the address, which is not known yet. */
    static final int UNDECIDED = -2;

    final EgressPolicy policy;
    private final CompiledRule[] rules;
    private final boolean looksAtContainers;
    private final Set<String> names = new HashSet<>();
    private final Set<String> domains = new HashSet<>();

    CompiledPolicy(EgressPolicy policy) {
        this.policy = policy;
        this.rules = policy.rules().stream().map(CompiledRule::new).toArray(CompiledRule[]::new);
        boolean looks = false;
        for (CompiledRule r : rules) {
            looks |= r.looksAtContainers();
        }
        this.looksAtContainers = looks;
        for (EgressPolicy.Rule r : policy.rules()) {
            for (To to : r.to()) {
                if (to instanceof To.Name n) {
                    (n.below() ? domains : names).add(n.name());
                }
            }
        }
    }

    /** True if a rule is about that name. */
    boolean mentions(String name) {
        boolean found = names.contains(name);
        for (int dot = name.indexOf('.'); dot >= 0 && !found; dot = name.indexOf('.', dot + 1)) {
            found = domains.contains(name.substring(dot + 1));
        }
        return found;
    }

    /** True if it matters which container somebody is. */
    boolean looksAtContainers() {
        return looksAtContainers;
    }

    int size() {
        return rules.length;
    }

    EgressPolicy.Rule rule(int index) {
        return rules[index].rule;
    }

    /** The index of the rule that decides, or one of the constants. Makes no object. */
    int decide(Facts facts) {
        facts.staged = -1;
        for (int i = 0; i < rules.length; i++) {
            CompiledRule rule = rules[i];
            CompiledRule.Fit fit = rule.fit(facts);
            if (rule.rule.dryRun()) {
                if (fit == CompiledRule.Fit.YES && facts.staged < 0) {
                    facts.staged = i;
                }
            } else if (fit == CompiledRule.Fit.YES) {
                return i;
            } else if (fit == CompiledRule.Fit.MAYBE) {
                return UNDECIDED;
            }
        }
        return BY_DEFAULT;
    }

    /** True if a rule before the one that has decided would allow the same to somebody who says one of its names. */
    boolean mayAllowAName(Facts facts, int decision) {
        int end = decision < 0 ? rules.length : decision;
        for (int i = 0; i < end; i++) {
            CompiledRule rule = rules[i];
            if (rule.rule.action() == EgressPolicy.Action.ALLOW && !rule.rule.dryRun() && rule.mayFitAName(facts)) {
                return true;
            }
        }
        return false;
    }

    /** True if a rule denies everything by this name to everybody, and none before it could allow some of that. */
    boolean deniesName(String name) {
        for (CompiledRule rule : rules) {
            if (rule.rule.dryRun()) {
                continue;
            }
            boolean denies = rule.rule.action() == EgressPolicy.Action.DENY;
            if (denies && rule.isAllOf(name)) {
                return true;
            }
            if (!denies && rule.mayFit(name)) {
                return false;
            }
        }
        return false;
    }

    /** What the rule of {@link #decide}, or the default, says; as if it were enforced. */
    EgressPolicy.Action action(int decision) {
        return decision == BY_DEFAULT ? policy.byDefault() : rules[decision].rule.action();
    }
}
