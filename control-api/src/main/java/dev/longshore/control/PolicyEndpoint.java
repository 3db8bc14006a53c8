package dev.longshore.control;

import dev.longshore.proto.control.v1.ExplainPolicyReply;
import dev.longshore.proto.control.v1.ExplainPolicyRequest;
import dev.longshore.proto.control.v1.FlowProtocol;
import dev.longshore.proto.control.v1.GetPolicyReply;
import dev.longshore.proto.control.v1.GetPolicyRequest;
import dev.longshore.proto.control.v1.PolicyServiceGrpc;
import io.grpc.stub.StreamObserver;

/** PolicyService of {@code policy.proto}. Thread-safe: holds nothing but the policy. */
final class PolicyEndpoint extends PolicyServiceGrpc.PolicyServiceImplBase {
    private static final int MAX_HOST_CHARS = 255;

    private final PolicyControl policy;

    PolicyEndpoint(PolicyControl policy) {
        this.policy = policy;
    }

    @Override
    public void explainPolicy(ExplainPolicyRequest request, StreamObserver<ExplainPolicyReply> observer) {
        PolicyControl.Question question;
        try {
            question = question(request);
        } catch (IllegalArgumentException e) {
            Answer.refuse(observer, Outcome.Reason.INVALID, String.valueOf(e.getMessage()));
            return;
        }
        Answer.when(policy.explain(question), observer, all -> {
            ExplainPolicyReply.Builder reply = ExplainPolicyReply.newBuilder();
            all.forEach(e -> reply.addExplanations(PolicyReplies.explanation(e)));
            return reply.build();
        });
    }

    private static PolicyControl.Question question(ExplainPolicyRequest request) {
        Flows.Protocol protocol = protocol(request.getProtocol());
        int port = request.getPort();
        if (protocol == Flows.Protocol.ICMP ? port != 0 : port < 1 || port > 65_535) {
            throw new IllegalArgumentException(
                    protocol == Flows.Protocol.ICMP ? "a ping has no port" : "port is 1 to 65535");
        }
        String host = request.getHost().strip();
        if (host.isEmpty() || host.length() > MAX_HOST_CHARS) {
            throw new IllegalArgumentException("host is a name or an address");
        }
        return new PolicyControl.Question(request.getContainer(), request.getAddress(), protocol, host, port);
    }

    private static Flows.Protocol protocol(FlowProtocol protocol) {
        return switch (protocol) {
            case FLOW_PROTOCOL_TCP, FLOW_PROTOCOL_UNSPECIFIED -> Flows.Protocol.TCP;
            case FLOW_PROTOCOL_UDP -> Flows.Protocol.UDP;
            case FLOW_PROTOCOL_ICMP -> Flows.Protocol.ICMP;
            case UNRECOGNIZED -> throw new IllegalArgumentException("no such protocol");
        };
    }

    @Override
    public void getPolicy(GetPolicyRequest request, StreamObserver<GetPolicyReply> observer) {
        Answer.when(policy.inForce(), observer, PolicyReplies::policy);
    }
}
