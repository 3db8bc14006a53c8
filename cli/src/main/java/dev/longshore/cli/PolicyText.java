package dev.longshore.cli;

import dev.longshore.proto.control.v1.GetPolicyReply;
import dev.longshore.proto.control.v1.PolicyAction;
import dev.longshore.proto.control.v1.PolicyExplanation;
import dev.longshore.proto.control.v1.PolicyMode;
import dev.longshore.proto.control.v1.PolicyRule;
import dev.longshore.proto.control.v1.PolicyStep;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** The egress policy and its explanations as text for people, and as JSON for programs. */
final class PolicyText {
    private static final JsonMapper MAPPER =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
    private static final int MAX_COLUMN = 40;

    private PolicyText() {}

    // ---- the policy

    static List<String> lines(GetPolicyReply policy) {
        List<String> lines = new ArrayList<>();
        lines.add("mode     " + word(policy.getMode())
                + switch (policy.getMode()) {
                    case POLICY_MODE_DRY_RUN -> ": everything is let through";
                    case POLICY_MODE_OFF -> ": everything is allowed";
                    case POLICY_MODE_ENFORCE, POLICY_MODE_UNSPECIFIED, UNRECOGNIZED -> "";
                });
        lines.add("default  " + word(policy.getDefaultAction()) + ", " + policy.getDefaultDecisions() + " times");
        lines.add(
                "now      " + policy.getConnections() + " connections, " + policy.getNames() + " addresses with names");
        if (policy.getRulesCount() == 0) {
            return lines;
        }
        lines.add("");
        List<String[]> rows =
                new ArrayList<>(List.<String[]>of(new String[] {"#", "RULE", "ACTION", "TIMES", "FROM", "TO"}));
        int number = 0;
        for (PolicyRule r : policy.getRulesList()) {
            JsonNode json = MAPPER.readTree(r.getRuleJson());
            rows.add(new String[] {
                String.valueOf(++number),
                r.getName(),
                word(r.getAction()) + (r.getDryRun() ? " (dry run)" : ""),
                String.valueOf(r.getDryRun() ? r.getTrials() : r.getDecisions()),
                from(json),
                to(json)
            });
        }
        int[] widths = new int[rows.getFirst().length];
        for (String[] row : rows) {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.min(MAX_COLUMN, Math.max(widths[i], row[i].length()));
            }
        }
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < widths.length; i++) {
                line.append(String.format(Locale.ROOT, "%-" + widths[i] + "s  ", row[i]));
            }
            lines.add(line.toString().stripTrailing());
        }
        return lines;
    }

    private static String from(JsonNode rule) {
        JsonNode from = rule.path("from");
        if (from.isMissingNode()) {
            return "all";
        }
        return from.isString()
                ? from.asString()
                : from.propertyStream()
                        .map(p -> p.getKey() + " " + joined(p.getValue()))
                        .collect(Collectors.joining(", "));
    }

    private static String to(JsonNode rule) {
        List<String> parts = new ArrayList<>();
        parts.add(rule.path("to").isMissingNode() ? "everywhere" : joined(rule.path("to")));
        if (!rule.path("ports").isMissingNode()) {
            parts.add("port " + joined(rule.path("ports")));
        }
        if (!rule.path("protocols").isMissingNode()) {
            parts.add(joined(rule.path("protocols")));
        }
        return String.join(", ", parts);
    }

    private static String joined(JsonNode list) {
        return list.valueStream().map(JsonNode::asString).collect(Collectors.joining("|"));
    }

    static String json(GetPolicyReply policy) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("mode", word(policy.getMode()));
        json.put("default", word(policy.getDefaultAction()));
        json.put("defaultDecisions", policy.getDefaultDecisions());
        json.put("connections", policy.getConnections());
        json.put("names", policy.getNames());
        json.put("rules", policy.getRulesList().stream().map(PolicyText::map).toList());
        json.put("policy", MAPPER.readTree(policy.getPolicyJson()));
        return MAPPER.writeValueAsString(json);
    }

    private static Map<String, Object> map(PolicyRule rule) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", rule.getName());
        json.put("action", word(rule.getAction()));
        json.put("dryRun", rule.getDryRun());
        json.put("decisions", rule.getDecisions());
        json.put("trials", rule.getTrials());
        return json;
    }

    // ---- explanations

    static List<String> lines(List<PolicyExplanation> explanations) {
        List<String> lines = new ArrayList<>();
        for (PolicyExplanation e : explanations) {
            if (!lines.isEmpty()) {
                lines.add("");
            }
            lines.add(verdict(e) + ": " + e.getAttempt());
            lines.add("  " + reason(e));
            for (PolicyStep s : e.getStepsList()) {
                String trial = s.getDryRun() ? " (dry run: decides nothing)" : "";
                lines.add("  - " + s.getRule() + ": " + (s.getFits() ? "fits, " + word(s.getAction()) : s.getWhy())
                        + trial);
            }
        }
        return lines;
    }

    private static String verdict(PolicyExplanation e) {
        return e.getVerdict() == PolicyAction.POLICY_ACTION_DENY ? "denied" : "allowed";
    }

    private static String reason(PolicyExplanation e) {
        if (e.getMode() == PolicyMode.POLICY_MODE_OFF) {
            return "the policy is off";
        }
        String by = e.getRule().isEmpty() ? "the default is " + word(e.getAction()) : "by rule '" + e.getRule() + "'";
        return e.getVerdict() == e.getAction() ? by : "dry run; else it would be denied: " + by;
    }

    static String json(List<PolicyExplanation> explanations) {
        return MAPPER.writeValueAsString(
                explanations.stream().map(PolicyText::map).toList());
    }

    private static Map<String, Object> map(PolicyExplanation e) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("verdict", word(e.getVerdict()));
        json.put("action", word(e.getAction()));
        json.put("mode", word(e.getMode()));
        json.put("rule", e.getRule());
        json.put("attempt", e.getAttempt());
        json.put("address", e.getAddress());
        json.put("names", List.copyOf(e.getNamesList()));
        json.put("steps", e.getStepsList().stream().map(PolicyText::map).toList());
        return json;
    }

    private static Map<String, Object> map(PolicyStep step) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("rule", step.getRule());
        json.put("action", word(step.getAction()));
        json.put("dryRun", step.getDryRun());
        json.put("fits", step.getFits());
        json.put("why", step.getWhy());
        return json;
    }

    private static String word(PolicyAction action) {
        return switch (action) {
            case POLICY_ACTION_ALLOW -> "allow";
            case POLICY_ACTION_DENY -> "deny";
            case POLICY_ACTION_UNSPECIFIED, UNRECOGNIZED -> "?";
        };
    }

    private static String word(PolicyMode mode) {
        return switch (mode) {
            case POLICY_MODE_ENFORCE -> "enforce";
            case POLICY_MODE_DRY_RUN -> "dry-run";
            case POLICY_MODE_OFF -> "off";
            case POLICY_MODE_UNSPECIFIED, UNRECOGNIZED -> "?";
        };
    }
}
