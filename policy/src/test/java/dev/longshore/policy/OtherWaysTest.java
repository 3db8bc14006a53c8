package dev.longshore.policy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What does not go by a socket to the remote, as through an upstream proxy. */
class OtherWaysTest {
    private static final Destination NAMED = Destination.named("a.test", 443);
    private static final Destination ADDRESS = Destination.of(IpAddress.parse("192.0.2.9"), 443);

    private final PolicyRig rig = new PolicyRig();
    private final ScriptedChannel channel = new ScriptedChannel();
    private int begun;

    @AfterEach
    void close() {
        rig.close();
    }

    private DialResult dial(Destination to) {
        var dial = rig.dialer.dialBy(to, rig.loop, () -> {
            begun++;
            return rig.loop.newSucceededFuture(new DialResult.Connected(channel));
        });
        rig.loop.runDue();
        return dial.getNow();
    }

    private Optional<String> refusal(Destination to) {
        var refusal = rig.dialer.refusal(to, rig.loop);
        rig.loop.runDue();
        return refusal.getNow();
    }

    @Test
    void deniedName_isNotEvenBegun() {
        rig.obey("{'rules': [{'name': 'no a', 'action': 'deny', 'to': 'a.test'}]}");

        assertThat(refusal(NAMED)).hasValueSatisfying(why -> assertThat(why).contains("no a"));
        assertThat(dial(NAMED)).isInstanceOf(DialResult.Denied.class);
        assertThat(begun).isZero();
        assertThat(refusal(Destination.named("b.test", 443))).isEmpty();
    }

    @Test
    void deniedPort_isNotBegun_whateverTheName() {
        rig.obey("{'rules': [{'action': 'deny', 'ports': 443}]}");

        assertThat(refusal(NAMED)).isPresent();
        assertThat(dial(NAMED)).isInstanceOf(DialResult.Denied.class);
        assertThat(begun).isZero();
    }

    @Test
    void deniedAddress_isDenied_asTheGuestGaveIt() {
        rig.obey("{'rules': [{'action': 'deny', 'to': '192.0.2.0/24'}]}");

        assertThat(refusal(ADDRESS)).isPresent();
        assertThat(dial(ADDRESS)).isInstanceOf(DialResult.Denied.class);
    }

    private Optional<String> refusalByAnyName(Destination to) {
        var refusal = rig.dialer.refusalByAnyName(to, rig.loop);
        rig.loop.runDue();
        return refusal.getNow();
    }

    /** What a client says later may be a name that is allowed, and means another address then. */
    @Test
    void deniedAddress_isDeniedByAnyName_ifNoNameIsAllowed() {
        rig.obey("{'rules': [{'name': 'net', 'action': 'deny', 'to': '192.0.2.0/24'}]}");
        assertThat(refusalByAnyName(ADDRESS))
                .hasValueSatisfying(why -> assertThat(why).contains("net"));

        rig.obey("{'default': 'deny'}");
        assertThat(refusalByAnyName(ADDRESS)).isPresent();

        rig.obey("{'default': 'deny', 'rules': [{'action': 'allow', 'to': '*.a.test'}]}");
        assertThat(refusal(ADDRESS)).isPresent();
        assertThat(refusalByAnyName(ADDRESS)).isEmpty();

        rig.obey("{'rules': [{'action': 'deny', 'to': '192.0.2.0/24'}, {'action': 'allow', 'to': 'a.test'}]}");
        assertThat(refusalByAnyName(ADDRESS))
                .as("the rule behind does not come to it")
                .isPresent();
    }

    @Test
    void allowedNames_ofOthers_orOtherPorts_openNothing() {
        rig.obey("{'default': 'deny', 'rules': [{'action': 'allow', 'ports': 80, 'to': 'a.test'},"
                + " {'action': 'allow', 'protocols': 'udp', 'to': 'a.test'},"
                + " {'action': 'allow', 'dryRun': true, 'to': 'a.test'}]}");
        assertThat(refusalByAnyName(ADDRESS)).isPresent();
    }

    @Test
    void rulesForAddresses_doNotFitNamesThatOthersLookUp() {
        rig.obey("{'rules': [{'action': 'deny', 'to': '10.0.0.0/8'}]}");
        assertThat(refusal(NAMED)).isEmpty();
        assertThat(dial(NAMED)).isInstanceOf(DialResult.Connected.class);

        rig.obey("{'default': 'deny', 'rules': [{'action': 'allow', 'to': '10.0.0.0/8'}]}");
        assertThat(dial(NAMED)).isInstanceOf(DialResult.Denied.class);
        assertThat(begun).isEqualTo(1);
    }

    @Test
    void anotherPolicy_cutsByTheNameAndNotByTheProxysAddress() {
        assertThat(dial(NAMED)).isInstanceOf(DialResult.Connected.class);

        rig.obey("{'rules': [{'action': 'deny', 'to': '0.0.0.0/0'}]}");
        assertThat(channel.isOpen()).isTrue();
        rig.obey("{'rules': [{'action': 'deny', 'to': 'a.test'}]}");
        assertThat(channel.isOpen()).isFalse();
    }
}
