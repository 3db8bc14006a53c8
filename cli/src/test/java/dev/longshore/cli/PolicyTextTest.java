package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proto.control.v1.GetPolicyReply;
import dev.longshore.proto.control.v1.PolicyAction;
import dev.longshore.proto.control.v1.PolicyExplanation;
import dev.longshore.proto.control.v1.PolicyMode;
import dev.longshore.proto.control.v1.PolicyRule;
import dev.longshore.proto.control.v1.PolicyStep;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The egress policy as the user reads it. */
class PolicyTextTest {
    private static final GetPolicyReply POLICY = GetPolicyReply.newBuilder()
            .setMode(PolicyMode.POLICY_MODE_ENFORCE)
            .setDefaultAction(PolicyAction.POLICY_ACTION_DENY)
            .setDefaultDecisions(4)
            .addRules(
                    PolicyRule.newBuilder()
                            .setName("lan")
                            .setAction(PolicyAction.POLICY_ACTION_ALLOW)
                            .setDecisions(12)
                            .setRuleJson(
                                    "{\"name\":\"lan\",\"action\":\"allow\",\"from\":{\"container\":[\"web\",\"db\"]},\"to\":[\"10.0.0.0/8\"],\"ports\":[\"443\"]}"))
            .addRules(PolicyRule.newBuilder()
                    .setName("trial")
                    .setAction(PolicyAction.POLICY_ACTION_DENY)
                    .setDryRun(true)
                    .setTrials(3)
                    .setRuleJson("{\"name\":\"trial\",\"action\":\"deny\",\"dryRun\":true,\"from\":\"guest\"}"))
            .setPolicyJson("{\"default\":\"deny\"}")
            .setConnections(2)
            .setNames(5)
            .build();

    private static PolicyExplanation.Builder explanation() {
        return PolicyExplanation.newBuilder()
                .setAttempt("tcp container web -> 10.0.0.1:22")
                .setAddress("10.0.0.1")
                .setVerdict(PolicyAction.POLICY_ACTION_DENY)
                .setAction(PolicyAction.POLICY_ACTION_DENY)
                .setMode(PolicyMode.POLICY_MODE_ENFORCE)
                .addSteps(PolicyStep.newBuilder()
                        .setRule("lan")
                        .setAction(PolicyAction.POLICY_ACTION_ALLOW)
                        .setWhy("not for port 22"));
    }

    @Test
    void policy_isATable() {
        assertThat(PolicyText.lines(POLICY))
                .containsExactly(
                        "mode     enforce",
                        "default  deny, 4 times",
                        "now      2 connections, 5 addresses with names",
                        "",
                        "#  RULE   ACTION          TIMES  FROM              TO",
                        "1  lan    allow           12     container web|db  10.0.0.0/8, port 443",
                        "2  trial  deny (dry run)  3      guest             everywhere");
    }

    @Test
    void policyForPrograms_hasCountsAndThePolicyItself() {
        JsonNode json = new JsonMapper().readTree(PolicyText.json(POLICY));
        assertThat(json.at("/defaultDecisions").asInt()).isEqualTo(4);
        assertThat(json.at("/rules/0/decisions").asInt()).isEqualTo(12);
        assertThat(json.at("/rules/1/trials").asInt()).isEqualTo(3);
        assertThat(json.at("/policy/default").asString()).isEqualTo("deny");
    }

    @Test
    void explanation_namesTheReason_andEachRule() {
        assertThat(PolicyText.lines(List.of(explanation().build())))
                .containsExactly(
                        "denied: tcp container web -> 10.0.0.1:22",
                        "  the default is deny",
                        "  - lan: not for port 22");
        assertThat(PolicyText.lines(List.of(explanation()
                        .setVerdict(PolicyAction.POLICY_ACTION_ALLOW)
                        .setMode(PolicyMode.POLICY_MODE_DRY_RUN)
                        .setRule("all")
                        .build())))
                .startsWith(
                        "allowed: tcp container web -> 10.0.0.1:22",
                        "  dry run; else it would be denied: by rule 'all'");
    }

    @Test
    void explanationForPrograms_hasAllOfIt() {
        JsonNode json =
                new JsonMapper().readTree(PolicyText.json(List.of(explanation().build())));
        assertThat(json.at("/0/verdict").asString()).isEqualTo("deny");
        assertThat(json.at("/0/steps/0/why").asString()).isEqualTo("not for port 22");
    }
}
