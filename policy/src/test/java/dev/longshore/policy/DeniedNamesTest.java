package dev.longshore.policy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.EgressPolicy;
import dev.longshore.config.EgressPolicy.Action;
import dev.longshore.config.EgressPolicy.From;
import dev.longshore.config.EgressPolicy.Mode;
import dev.longshore.config.EgressPolicy.Ports;
import dev.longshore.config.EgressPolicy.Protocol;
import dev.longshore.config.EgressPolicy.Rule;
import dev.longshore.config.EgressPolicy.To;
import dev.longshore.config.IpPrefix;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Which names the name server need not look for: only what nobody may use, whatever its addresses are. */
class DeniedNamesTest {
    private static final List<To> BAD = List.of(new To.Name("bad.test", false), new To.Name("bad.test", true));
    private static final Set<Protocol> ALL = EnumSet.allOf(Protocol.class);

    private static Rule deny(boolean dryRun, @Nullable From from, List<Ports> ports, Set<Protocol> protocols) {
        return new Rule("d", Action.DENY, dryRun, false, from, BAD, ports, protocols);
    }

    private static Rule allow(List<To> to) {
        return new Rule("a", Action.ALLOW, false, false, new From.Guest(), to, List.of(), ALL);
    }

    private static boolean denies(String name, Rule... rules) {
        return new CompiledPolicy(new EgressPolicy(Mode.ENFORCE, Action.ALLOW, List.of(rules))).deniesName(name);
    }

    @ParameterizedTest
    @CsvSource({"bad.test,true", "www.bad.test,true", "xbad.test,false", "good.test,false"})
    void rule_ofANameAlone_deniesIt(String name, boolean denied) {
        assertThat(denies(name, deny(false, null, List.of(), ALL))).isEqualTo(denied);
    }

    @Test
    void rule_thatLooksAtMore_deniesNoName() {
        assertThat(denies("bad.test", deny(true, null, List.of(), ALL))).isFalse();
        assertThat(denies("bad.test", deny(false, new From.Guest(), List.of(), ALL)))
                .isFalse();
        assertThat(denies("bad.test", deny(false, null, List.of(new Ports(443, 443)), ALL)))
                .isFalse();
        assertThat(denies("bad.test", deny(false, null, List.of(), Set.of(Protocol.TCP, Protocol.UDP))))
                .isFalse();
    }

    @Test
    void allowingRuleBefore_keepsTheName_ifItMayFit() {
        Rule deny = deny(false, null, List.of(), ALL);
        assertThat(denies("bad.test", allow(BAD), deny)).isFalse();
        assertThat(denies("bad.test", allow(List.of(new To.Network(IpPrefix.parse("10.0.0.0/8")))), deny))
                .isFalse();
        assertThat(denies("bad.test", allow(List.of()), deny)).isFalse();
        assertThat(denies("bad.test", allow(List.of(new To.Name("other.test", true), new To.Host())), deny))
                .isTrue();
        assertThat(denies("bad.test", deny, allow(BAD))).isTrue();
    }

    @ParameterizedTest
    @EnumSource(Action.class)
    void defaultAction_deniesNoName(Action action) {
        assertThat(new CompiledPolicy(new EgressPolicy(Mode.ENFORCE, action, List.of())).deniesName("bad.test"))
                .isFalse();
    }
}
