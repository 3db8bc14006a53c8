package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.proto.control.v1.ExplainRouteReply;
import dev.longshore.proto.control.v1.ExplainRouteRequest;
import dev.longshore.proto.control.v1.GetProxiesReply;
import dev.longshore.proto.control.v1.PolicyAction;
import dev.longshore.proto.control.v1.PolicyExplanation;
import dev.longshore.proto.control.v1.PolicyMode;
import dev.longshore.proto.control.v1.RouteHop;
import dev.longshore.proto.control.v1.RouteHopKind;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ProxyTextTest {
    @ParameterizedTest
    @CsvSource({
        "http://example.com, true, example.com, 80",
        "HTTPS://example.com/a?b#c, false, example.com, 443",
        "https://u:secret@example.com:8443/, false, example.com, 8443",
        "example.com:5432, false, example.com, 5432",
        "http://[2001:db8::1]:8080/x, true, 2001:db8::1, 8080",
        "[2001:db8::1]:22, false, 2001:db8::1, 22",
    })
    void target_isRead(String target, boolean plain, String host, int port) {
        ExplainRouteRequest request = ProxyCommand.Explain.request(target);
        assertThat(request.getPlain()).isEqualTo(plain);
        assertThat(request.getHost()).isEqualTo(host);
        assertThat(request.getPort()).isEqualTo(port);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "example.com", "ftp://secret@example.com", "http://", "http://a:0", "http://a:65536", "a b:1"
            })
    void nonsense_isRefused_withoutQuotingIt(String target) {
        assertThatThrownBy(() -> ProxyCommand.Explain.request(target))
                .isInstanceOf(CliException.class)
                .message()
                .doesNotContain("secret");
    }

    @Test
    void explanation_hasTheWaysInTheirOrder_andThePolicy() {
        ExplainRouteRequest asked = ProxyCommand.Explain.request("https://example.com");
        ExplainRouteReply reply = ExplainRouteReply.newBuilder()
                .setScope("containers and the Engine")
                .setSource("containersProxy.mode is manual")
                .setBecause("containersProxy.pac http://pac/x returned PROXY a:1; DIRECT")
                .setScript("PROXY a:1; DIRECT")
                .addHops(RouteHop.newBuilder()
                        .setKind(RouteHopKind.ROUTE_HOP_KIND_PROXY)
                        .setProxy("http://a:1"))
                .addHops(RouteHop.newBuilder().setKind(RouteHopKind.ROUTE_HOP_KIND_DIRECT))
                .build();
        List<PolicyExplanation> policy = List.of(PolicyExplanation.newBuilder()
                .setAttempt("tcp the guest -> example.com:443")
                .setVerdict(PolicyAction.POLICY_ACTION_ALLOW)
                .setAction(PolicyAction.POLICY_ACTION_ALLOW)
                .setMode(PolicyMode.POLICY_MODE_OFF)
                .build());
        assertThat(ProxyText.lines(asked, reply, policy))
                .containsExactly(
                        "tunnel to example.com:443: http://a:1, then direct",
                        "  for     containers and the Engine",
                        "  from    containersProxy.mode is manual",
                        "  because containersProxy.pac http://pac/x returned PROXY a:1; DIRECT",
                        "  script  PROXY a:1; DIRECT",
                        "  policy  allowed: tcp the guest -> example.com:443",
                        "  policy    the policy is off");
        JsonNode json = new JsonMapper().readTree(ProxyText.json(asked, reply, policy));
        assertThat(json.path("hops").path(0).path("proxy").asString()).isEqualTo("http://a:1");
        assertThat(json.path("hops").path(1).path("kind").asString()).isEqualTo("direct");
        assertThat(json.path("policy").path(0).path("verdict").asString()).isEqualTo("allow");
    }

    @Test
    void whatCounts_isShown() {
        GetProxiesReply proxies = GetProxiesReply.newBuilder()
                .setScope("containers and the Engine")
                .setSource("proxy.mode is system: environment (HTTPS_PROXY)")
                .setSummary("http direct, https http://a:1 (…)")
                .setHttps("http://a:1")
                .addExclude("*.corp")
                .addProblems("NO_PROXY has entries that mean nothing: [")
                .build();
        assertThat(ProxyText.lines(proxies))
                .containsExactly(
                        "for       containers and the Engine",
                        "from      proxy.mode is system: environment (HTTPS_PROXY)",
                        "https     http://a:1",
                        "exclude   *.corp",
                        "problem   NO_PROXY has entries that mean nothing: [");
        assertThat(new JsonMapper()
                        .readTree(ProxyText.json(proxies))
                        .path("https")
                        .asString())
                .isEqualTo("http://a:1");
    }
}
