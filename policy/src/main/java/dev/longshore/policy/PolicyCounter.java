package dev.longshore.policy;

import dev.longshore.vpnkit.count.Counted;

/** What the egress policy counts: connections and, of datagrams and pings, flows that are let through and packets that are not. */
public enum PolicyCounter implements Counted {
    ALLOWED("policy.decisions", "verdict=allowed,reason=policy", "Attempts that the egress policy allowed."),
    DENIED_BY_RULE("policy.decisions", "verdict=denied,reason=rule", "Attempts that a rule denied."),
    DENIED_BY_DEFAULT("policy.decisions", "verdict=denied,reason=default", "Attempts that no rule allowed."),
    WOULD_DENY("policy.decisions", "verdict=dry_run,reason=deny", "Attempts let through that would be denied."),
    WOULD_ALLOW(
            "policy.decisions", "verdict=dry_run,reason=allow", "Attempts denied that a rule on trial would allow."),
    ASKED("policy.containers.asked", "", "Questions to the Engine for whose address it is."),
    CUT("policy.connections.cut", "", "Open connections that another policy ended."),
    NOT_TOLD(
            "policy.events.held", "", "Decisions that were counted and not told of, as there were too many like them."),
    RULES("policy.rules.active", "", "Rules of the egress policy now."),
    CONNECTIONS("policy.connections.active", "", "Open connections that another policy could end.");

    private final String metric;
    private final String tags;
    private final String help;

    PolicyCounter(String metric, String tags, String help) {
        this.metric = metric;
        this.tags = tags;
        this.help = help;
    }

    @Override
    public String metric() {
        return metric;
    }

    @Override
    public String tags() {
        return tags;
    }

    @Override
    public String help() {
        return help;
    }
}
