package dev.longshore.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Timestamp;
import dev.longshore.proto.control.v1.ExplainRouteReply;
import dev.longshore.proto.control.v1.ExplainRouteRequest;
import dev.longshore.proto.control.v1.GetProxiesReply;
import dev.longshore.proto.control.v1.GetProxiesRequest;
import dev.longshore.proto.control.v1.GetProxyLogReply;
import dev.longshore.proto.control.v1.GetProxyLogRequest;
import dev.longshore.proto.control.v1.ProxyLogEntry;
import dev.longshore.proto.control.v1.ProxyServiceGrpc;
import dev.longshore.proto.control.v1.RouteHopKind;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** ProxyService over a real socket. */
@Timeout(60)
class ProxyServiceTest {
    private final FakeDaemon daemon = new FakeDaemon();

    @RegisterExtension
    private final RunningServer running = new RunningServer(daemon);

    private ProxyServiceGrpc.ProxyServiceBlockingStub proxies() {
        return ProxyServiceGrpc.newBlockingStub(running.channel());
    }

    @Test
    void explain_passesTheQuestion_andTheAnswer() {
        ExplainRouteReply reply = proxies()
                .explainRoute(ExplainRouteRequest.newBuilder()
                        .setPlain(true)
                        .setHost("example.com")
                        .setPort(80)
                        .build());
        assertThat(daemon.calls).containsExactly("RouteQuestion[plain=true, host=example.com, port=80]");
        assertThat(reply.getScope()).isEqualTo("scope");
        assertThat(reply.getSource()).isEqualTo("source");
        assertThat(reply.getRule()).isEqualTo("rule");
        assertThat(reply.getScript()).isEqualTo("script");
        assertThat(reply.getBecause()).isEqualTo("because");
        assertThat(reply.getHops(0).getProxy()).isEqualTo("http://proxy:3128");
        assertThat(reply.getHops(1).getKind()).isEqualTo(RouteHopKind.ROUTE_HOP_KIND_DIRECT);
        assertThat(reply.getHops(2).getReason()).isEqualTo("reason");
    }

    @Test
    void questionWithoutSense_isRefused() {
        ExplainRouteRequest.Builder base =
                ExplainRouteRequest.newBuilder().setHost("example.com").setPort(443);
        isRefused(base.clone().setPort(0));
        isRefused(base.clone().setPort(65_536));
        isRefused(base.clone().setHost(" "));
        isRefused(base.clone().setHost("x".repeat(256)));
    }

    private void isRefused(ExplainRouteRequest.Builder request) {
        assertThatThrownBy(() -> proxies().explainRoute(request.build()))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT));
    }

    @Test
    void proxies_areShown() {
        GetProxiesReply reply = proxies().getProxies(GetProxiesRequest.getDefaultInstance());
        assertThat(reply.getSummary()).isEqualTo("summary");
        assertThat(reply.getHttp()).isEqualTo("http://one:1");
        assertThat(reply.getHttps()).isEqualTo("http://two:2");
        assertThat(reply.getExcludeList()).containsExactly("*.corp");
        assertThat(reply.getExcludeReversed()).isTrue();
        assertThat(reply.getScript()).isEqualTo("script");
        assertThat(reply.getScriptState()).isEqualTo("state");
        assertThat(reply.getProblemsList()).containsExactly("problem");
    }

    @Test
    void log_isPassedOn_andBounded() {
        GetProxyLogReply reply =
                proxies().getProxyLog(GetProxyLogRequest.newBuilder().setMost(3).build());
        proxies().getProxyLog(GetProxyLogRequest.getDefaultInstance());
        assertThat(daemon.calls).containsExactly("log 3", "log 1000");
        assertThat(reply.getEntriesList())
                .containsExactly(ProxyLogEntry.newBuilder()
                        .setEnded(Timestamp.newBuilder().setSeconds(5).setNanos(6))
                        .setMillis(7)
                        .setSource("172.17.0.2")
                        .setContainer("web")
                        .setKind("connect")
                        .setMethod("CONNECT")
                        .setHost("a.test")
                        .setPort(443)
                        .setNamed("connect")
                        .setPath("/p")
                        .setRoute("DIRECT")
                        .setRemote("192.0.2.3:443")
                        .setRule("rule")
                        .setAuth("Basic")
                        .setStatus(200)
                        .setBytesFromGuest(8)
                        .setBytesToGuest(9)
                        .setError("error")
                        .build());
        for (int wrong : new int[] {-1, 1001}) {
            assertThatThrownBy(() -> proxies()
                            .getProxyLog(GetProxyLogRequest.newBuilder()
                                    .setMost(wrong)
                                    .build()))
                    .isInstanceOfSatisfying(
                            StatusRuntimeException.class,
                            e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT));
        }
    }
}
