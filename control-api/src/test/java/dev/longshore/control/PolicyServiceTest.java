package dev.longshore.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.proto.control.v1.Event;
import dev.longshore.proto.control.v1.EventServiceGrpc;
import dev.longshore.proto.control.v1.ExplainPolicyRequest;
import dev.longshore.proto.control.v1.FlowProtocol;
import dev.longshore.proto.control.v1.GetPolicyReply;
import dev.longshore.proto.control.v1.GetPolicyRequest;
import dev.longshore.proto.control.v1.PolicyAction;
import dev.longshore.proto.control.v1.PolicyExplanation;
import dev.longshore.proto.control.v1.PolicyMode;
import dev.longshore.proto.control.v1.PolicyServiceGrpc;
import dev.longshore.proto.control.v1.WatchEventsRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** PolicyService, and the policy's events, over a real socket. */
@Timeout(60)
class PolicyServiceTest {
    private final FakeDaemon daemon = new FakeDaemon();

    @RegisterExtension
    private final RunningServer running = new RunningServer(daemon);

    private PolicyServiceGrpc.PolicyServiceBlockingStub policy() {
        return PolicyServiceGrpc.newBlockingStub(running.channel());
    }

    @Test
    void explain_passesTheQuestion_andTheAnswer() {
        PolicyExplanation e = policy().explainPolicy(ExplainPolicyRequest.newBuilder()
                        .setContainer("web")
                        .setProtocol(FlowProtocol.FLOW_PROTOCOL_UDP)
                        .setHost("example.com")
                        .setPort(443)
                        .build())
                .getExplanations(0);
        assertThat(daemon.calls)
                .containsExactly("Question[container=web, address=, protocol=UDP, host=example.com, port=443]");
        assertThat(e.getAddress()).isEqualTo("192.0.2.1");
        assertThat(e.getVerdict()).isEqualTo(PolicyAction.POLICY_ACTION_ALLOW);
        assertThat(e.getAction()).isEqualTo(PolicyAction.POLICY_ACTION_DENY);
        assertThat(e.getMode()).isEqualTo(PolicyMode.POLICY_MODE_DRY_RUN);
        assertThat(e.getRule()).isEqualTo("all");
        assertThat(e.getSteps(0).getFits()).isTrue();
        assertThat(e.getNamesList()).containsExactly("example.com");
    }

    @Test
    void questionWithoutSense_isRefused() {
        ExplainPolicyRequest.Builder base =
                ExplainPolicyRequest.newBuilder().setHost("example.com").setPort(443);
        isRefused(base.clone().setPort(0), Status.Code.INVALID_ARGUMENT);
        isRefused(base.clone().setPort(65_536), Status.Code.INVALID_ARGUMENT);
        isRefused(base.clone().setHost(" "), Status.Code.INVALID_ARGUMENT);
        isRefused(base.clone().setHost("x".repeat(256)), Status.Code.INVALID_ARGUMENT);
        isRefused(base.clone().setProtocol(FlowProtocol.FLOW_PROTOCOL_ICMP), Status.Code.INVALID_ARGUMENT);
        isRefused(base.clone().setProtocolValue(99), Status.Code.INVALID_ARGUMENT);
        isRefused(base.clone().setContainer("nobody"), Status.Code.NOT_FOUND);
    }

    private void isRefused(ExplainPolicyRequest.Builder request, Status.Code code) {
        assertThatThrownBy(() -> policy().explainPolicy(request.build()))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(e.getStatus().getCode()).isEqualTo(code));
    }

    @Test
    void policyInForce_isShownWithItsCounts() {
        GetPolicyReply reply = policy().getPolicy(GetPolicyRequest.getDefaultInstance());
        assertThat(reply.getMode()).isEqualTo(PolicyMode.POLICY_MODE_DRY_RUN);
        assertThat(reply.getDefaultAction()).isEqualTo(PolicyAction.POLICY_ACTION_ALLOW);
        assertThat(reply.getDefaultDecisions()).isEqualTo(3);
        assertThat(reply.getRules(0).getDecisions()).isEqualTo(5);
        assertThat(reply.getRules(0).getTrials()).isEqualTo(7);
        assertThat(reply.getConnections()).isEqualTo(11);
        assertThat(reply.getNames()).isEqualTo(13);
        assertThat(reply.getPolicyJson()).isEqualTo("{\"rules\":[]}");
    }

    @Test
    void decision_isAnEvent() {
        daemon.happens(new Events.PolicyDecided("tcp a -> b", PolicyControl.Action.DENY, true, "r", 4, "all of it"));
        Event event = EventServiceGrpc.newBlockingStub(running.channel())
                .watchEvents(WatchEventsRequest.getDefaultInstance())
                .next();
        assertThat(event.getPolicy().getAttempt()).isEqualTo("tcp a -> b");
        assertThat(event.getPolicy().getAction()).isEqualTo(PolicyAction.POLICY_ACTION_DENY);
        assertThat(event.getPolicy().getDryRun()).isTrue();
        assertThat(event.getPolicy().getRule()).isEqualTo("r");
        assertThat(event.getPolicy().getLike()).isEqualTo(4);
        assertThat(event.getPolicy().getText()).isEqualTo("all of it");
    }
}
