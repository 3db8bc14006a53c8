package dev.longshore.policy;

import static dev.longshore.policy.Policies.container;
import static dev.longshore.policy.Policies.policy;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.EgressPolicy;
import dev.longshore.config.EgressPolicy.Protocol;
import dev.longshore.packet.wire.IpAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What rules mean, by the compiled policy and by the one that explains. */
class PolicyMeaningTest {
    private static Attempt to(Who who, Protocol protocol, @Nullable String address, int port, String... names) {
        IpAddress a = address == null ? null : IpAddress.parse(address);
        return new Attempt(who, protocol, a, false, List.of(names), List.of(), port);
    }

    private static Attempt guestTo(String address, int port, String... names) {
        return to(Who.GUEST, Protocol.TCP, address, port, names);
    }

    /** The name of the rule that decides; empty for the default. */
    private static String decides(EgressPolicy policy, Attempt attempt) {
        CompiledPolicy compiled = new CompiledPolicy(policy);
        int decision = compiled.decide(new Facts().of(attempt));
        String rule = decision < 0 ? "" : compiled.rule(decision).name();
        Explanation explanation = Interpreter.explain(policy, attempt);
        assertThat(rule).isEqualTo(explanation.decidedBy());
        assertThat(compiled.action(decision)).isEqualTo(explanation.action());
        return rule;
    }

    @Test
    void firstRuleThatFits_decides() {
        EgressPolicy policy = policy("""
                {'default': 'deny', 'rules': [
                  {'name': 'one', 'action': 'allow', 'to': '10.1.0.0/16'},
                  {'name': 'ten', 'action': 'deny', 'to': '10.0.0.0/8'},
                  {'name': 'never', 'action': 'allow', 'to': '10.2.0.0/16'}]}
                """);
        assertThat(decides(policy, guestTo("10.1.2.3", 80))).isEqualTo("one");
        assertThat(decides(policy, guestTo("10.2.2.3", 80))).isEqualTo("ten");
        assertThat(decides(policy, guestTo("11.0.0.1", 80))).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "0.0.0.0/0, 1.2.3.4, true",
        "0.0.0.0/0, ::1, false",
        "::/0, 1.2.3.4, false",
        "::/0, 2001:db8::1, true",
        "10.0.0.0/8, 10.255.255.255, true",
        "10.0.0.0/8, 11.0.0.0, false",
        "10.0.0.0/8, 9.255.255.255, false",
        "192.0.2.7, 192.0.2.7, true",
        "192.0.2.7, 192.0.2.8, false",
        "128.0.0.0/1, 255.255.255.255, true",
        "fd00::/8, fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff, true",
        "fd00::/8, fe00::, false",
        "2001:db8:0:1::/64, 2001:db8:0:1::9, true",
        "2001:db8:0:1::/64, 2001:db8:0:2::, false",
        "2001:db8::5, 2001:db8::5, true",
        "8000::/1, ffff::, true"
    })
    void networks_haveTheirAddresses(String network, String address, boolean fits) {
        EgressPolicy policy = policy("{'rules': [{'name': 'r', 'action': 'deny', 'to': '" + network + "'}]}");
        assertThat(decides(policy, guestTo(address, 80))).isEqualTo(fits ? "r" : "");
    }

    @ParameterizedTest
    @CsvSource({
        "example.com, example.com, true",
        "example.com, www.example.com, false",
        "*.example.com, www.example.com, true",
        "*.example.com, a.b.example.com, true",
        "*.example.com, example.com, false",
        "*.example.com, badexample.com, false",
        "EXAMPLE.com., example.com, true"
    })
    void names_fitExactlyOrBelow(String pattern, String name, boolean fits) {
        EgressPolicy policy = policy("{'rules': [{'name': 'r', 'action': 'deny', 'to': '" + pattern + "'}]}");
        assertThat(decides(policy, guestTo("192.0.2.1", 80, name))).isEqualTo(fits ? "r" : "");
    }

    @Test
    void aliases_areDeniedByTheirName_andAllowNothing() {
        Attempt byAlias = new Attempt(
                Who.GUEST,
                Protocol.TCP,
                IpAddress.parse("192.0.2.1"),
                false,
                List.of("www.example.com"),
                List.of("edge.cdn.example"),
                443);
        assertThat(decides(policy("{'rules': [{'name': 'r', 'action': 'deny', 'to': '*.cdn.example'}]}"), byAlias))
                .isEqualTo("r");
        assertThat(decides(
                        policy("{'default': 'deny', 'rules': [{'action': 'allow', 'to': '*.cdn.example'}]}"), byAlias))
                .isEmpty();
    }

    @Test
    void portsAndProtocols_limitARule() {
        EgressPolicy policy = policy("""
                {'rules': [
                  {'name': 'web', 'action': 'deny', 'ports': [443, '8000-8100']},
                  {'name': 'quic', 'action': 'deny', 'ports': '9000', 'protocols': 'udp'},
                  {'name': 'ping', 'action': 'deny', 'protocols': ['icmp']}]}
                """);
        assertThat(decides(policy, guestTo("192.0.2.1", 443))).isEqualTo("web");
        assertThat(decides(policy, guestTo("192.0.2.1", 8100))).isEqualTo("web");
        assertThat(decides(policy, guestTo("192.0.2.1", 8101))).isEmpty();
        assertThat(decides(policy, guestTo("192.0.2.1", 9000))).isEmpty();
        assertThat(decides(policy, to(Who.GUEST, Protocol.UDP, "192.0.2.1", 9000)))
                .isEqualTo("quic");
        assertThat(decides(policy, to(Who.GUEST, Protocol.ICMP, "192.0.2.1", 0)))
                .isEqualTo("ping");
    }

    @Test
    void selectors_fitContainersByAllTheirKinds() {
        EgressPolicy policy = policy("""
                {'rules': [
                  {'name': 'guest', 'action': 'deny', 'from': 'guest'},
                  {'name': 'web', 'action': 'deny', 'from': {'container': ['web-*', 'db?'], 'image': 'nginx'}},
                  {'name': 'shop', 'action': 'deny', 'from': {'project': 'shop', 'service': 'cart'}},
                  {'name': 'lab', 'action': 'deny', 'from': {'network': 'lab_*'}}]}
                """);
        assertThat(decides(policy, guestTo("192.0.2.1", 80))).isEqualTo("guest");
        assertThat(decides(policy, of("web-1", "nginx:1.27", null, null, "bridge")))
                .isEqualTo("web");
        assertThat(decides(policy, of("db1", "nginx@sha256:00", null, null, "bridge")))
                .isEqualTo("web");
        assertThat(decides(policy, of("web-1", "localhost:5000/nginx", null, null, "bridge")))
                .isEmpty();
        assertThat(decides(policy, of("web", "nginx:1.27", null, null, "bridge")))
                .isEmpty();
        assertThat(decides(policy, of("x", "y", "shop", "cart", "shop_default")))
                .isEqualTo("shop");
        assertThat(decides(policy, of("x", "y", "shop", "till", "shop_default")))
                .isEmpty();
        assertThat(decides(policy, of("x", "y", null, null, "bridge", "lab_net")))
                .isEqualTo("lab");
    }

    private static Attempt of(
            String name, String image, @Nullable String project, @Nullable String service, String... nets) {
        return to(new Who.Container(container(name, image, project, service, nets)), Protocol.TCP, "192.0.2.1", 80);
    }

    @Test
    void whoIsUnknown_meetsOnlyRulesForEverybody() {
        Attempt unknown = to(new Who.Unknown(IpAddress.parse("172.17.0.9")), Protocol.TCP, "192.0.2.1", 80);
        assertThat(decides(policy("""
                                {'rules': [
                                  {'action': 'deny', 'from': 'guest'},
                                  {'action': 'deny', 'from': {'container': '*'}},
                                  {'name': 'all', 'action': 'deny'}]}
                                """), unknown)).isEqualTo("all");
    }

    @Test
    void host_isMeantByItsNameOnly_orByItsAddressInTheGuestsNetwork() {
        Attempt host = new Attempt(
                Who.GUEST,
                Protocol.TCP,
                IpAddress.parse("192.168.65.254"),
                true,
                List.of(Attempt.HOST_NAME),
                List.of(),
                8080);
        assertThat(decides(policy("{'rules': [{'name': 'h', 'action': 'deny', 'to': 'host.docker.internal'}]}"), host))
                .isEqualTo("h");
        assertThat(decides(policy("{'rules': [{'name': 'h', 'action': 'deny', 'to': '127.0.0.0/8'}]}"), host))
                .isEmpty();
        assertThat(decides(policy("{'rules': [{'name': 'h', 'action': 'deny', 'to': '192.168.0.0/16'}]}"), host))
                .isEqualTo("h");
    }

    @Test
    void ruleOnTrial_decidesNothing_andIsRemembered() {
        EgressPolicy policy = policy("""
                {'rules': [{'name': 't', 'action': 'deny', 'dryRun': true, 'to': '10.0.0.0/8'}]}
                """);
        assertThat(decides(policy, guestTo("10.0.0.1", 80))).isEmpty();
        Facts facts = new Facts().of(guestTo("10.0.0.1", 80));
        int decision = new CompiledPolicy(policy).decide(facts);
        assertThat(decision).isEqualTo(CompiledPolicy.BY_DEFAULT);
        assertThat(facts.staged).isZero();
        assertThat(Interpreter.explain(policy, guestTo("10.0.0.1", 80)).steps())
                .containsExactly(new Explanation.Step("t", EgressPolicy.Action.DENY, true, true, ""));
    }

    @Test
    void nameWithoutAddress_isDecidedWhereNoNetworkCanDecide() {
        Attempt name = to(Who.GUEST, Protocol.TCP, null, 443, "www.example.com");
        CompiledPolicy byName = new CompiledPolicy(
                policy("{'default': 'deny', 'rules': [{'action': 'allow', 'to': ['10.0.0.0/8', '*.example.com']}]}"));
        assertThat(byName.decide(new Facts().of(name))).isZero();
        CompiledPolicy byNetwork = new CompiledPolicy(policy("""
                        {'rules': [
                          {'action': 'allow', 'to': '10.0.0.0/8', 'ports': 80},
                          {'action': 'deny', 'to': '11.0.0.0/8'},
                          {'action': 'allow', 'to': '*.example.com'}]}
                        """));
        assertThat(byNetwork.decide(new Facts().of(name))).isEqualTo(CompiledPolicy.UNDECIDED);
    }

    @Test
    void policyThatIsOff_allows() {
        EgressPolicy off = policy("{'mode': 'off', 'default': 'deny'}");
        assertThat(off.isInactive()).isTrue();
        assertThat(Interpreter.explain(off, guestTo("192.0.2.1", 80)).isDenied())
                .isFalse();
        EgressPolicy dry = policy("{'mode': 'dry-run', 'default': 'deny'}");
        assertThat(dry.isInactive()).isFalse();
        assertThat(Interpreter.explain(dry, guestTo("192.0.2.1", 80)).isDenied())
                .isFalse();
        assertThat(Interpreter.explain(dry, guestTo("192.0.2.1", 80)).action()).isEqualTo(EgressPolicy.Action.DENY);
    }

    @ParameterizedTest
    @CsvSource({
        "*, '', true",
        "a*c, abc, true",
        "a*c, ab, false",
        "*a*b*, xxaxxbxx, true",
        "?, '', false",
        "?b, ab, true",
        "a**b, ab, true",
        "web-*, web-, true",
        "a*a*a*a*b, aaaaaaaaaaaaaaaaaaaa, false"
    })
    void globs_fit(String pattern, String text, boolean fits) {
        assertThat(Glob.fits(pattern, text)).isEqualTo(fits);
    }
}
