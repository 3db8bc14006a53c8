package dev.longshore.control;

import dev.longshore.proto.control.v1.GetPolicyReply;
import dev.longshore.proto.control.v1.PolicyAction;
import dev.longshore.proto.control.v1.PolicyEvent;
import dev.longshore.proto.control.v1.PolicyExplanation;
import dev.longshore.proto.control.v1.PolicyMode;
import dev.longshore.proto.control.v1.PolicyRule;
import dev.longshore.proto.control.v1.PolicyStep;

/** What is said of the egress policy as the wire's messages, field by field. */
final class PolicyReplies {
    private PolicyReplies() {}

    static PolicyExplanation explanation(PolicyControl.Explained e) {
        PolicyExplanation.Builder reply = PolicyExplanation.newBuilder()
                .setAttempt(e.attempt())
                .setVerdict(action(e.verdict()))
                .setAction(action(e.action()))
                .setRule(e.rule())
                .setMode(mode(e.mode()))
                .addAllNames(e.names());
        String address = e.address();
        if (address != null) {
            reply.setAddress(address);
        }
        for (PolicyControl.Step s : e.steps()) {
            reply.addSteps(PolicyStep.newBuilder()
                    .setRule(s.rule())
                    .setAction(action(s.action()))
                    .setDryRun(s.dryRun())
                    .setFits(s.fits())
                    .setWhy(s.why()));
        }
        return reply.build();
    }

    static GetPolicyReply policy(PolicyControl.InForce v) {
        GetPolicyReply.Builder reply = GetPolicyReply.newBuilder()
                .setMode(mode(v.mode()))
                .setDefaultAction(action(v.byDefault()))
                .setDefaultDecisions(v.defaults())
                .setPolicyJson(v.json())
                .setConnections(v.connections())
                .setNames(v.names());
        for (PolicyControl.Rule r : v.rules()) {
            reply.addRules(PolicyRule.newBuilder()
                    .setName(r.name())
                    .setAction(action(r.action()))
                    .setDryRun(r.dryRun())
                    .setRuleJson(r.json())
                    .setDecisions(r.decisions())
                    .setTrials(r.trials()));
        }
        return reply.build();
    }

    static PolicyEvent event(Events.PolicyDecided p) {
        return PolicyEvent.newBuilder()
                .setAttempt(p.attempt())
                .setAction(action(p.action()))
                .setDryRun(p.dryRun())
                .setRule(p.rule())
                .setLike(p.like())
                .setText(p.text())
                .build();
    }

    private static PolicyAction action(PolicyControl.Action action) {
        return switch (action) {
            case ALLOW -> PolicyAction.POLICY_ACTION_ALLOW;
            case DENY -> PolicyAction.POLICY_ACTION_DENY;
        };
    }

    private static PolicyMode mode(PolicyControl.Mode mode) {
        return switch (mode) {
            case ENFORCE -> PolicyMode.POLICY_MODE_ENFORCE;
            case DRY_RUN -> PolicyMode.POLICY_MODE_DRY_RUN;
            case OFF -> PolicyMode.POLICY_MODE_OFF;
        };
    }
}
