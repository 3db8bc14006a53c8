package dev.longshore.proxy.intercept;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.proxy.route.RouteDecision;
import dev.longshore.proxy.route.RouteQuery;
import dev.longshore.proxy.route.Router;
import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.EgressGate;
import dev.longshore.vpnkit.hostsocket.EgressGate.Verdict;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class QuicGateTest {
    private static final IpAddress REMOTE = IpAddress.parse("203.0.113.9");
    private static final IpAddress GUEST = IpAddress.parse("172.17.0.2");

    private final EventLoop loop = new ScriptedChannel().eventLoop();
    private final Map<String, RouteDecision> routes = new HashMap<>();
    private final List<String> told = new ArrayList<>();
    private final List<Promise<RouteDecision>> slow = new ArrayList<>();
    private boolean open;
    private int generation;

    private final Router router = new Router() {
        @Override
        public Future<RouteDecision> route(RouteQuery query, EventLoop on) {
            RouteDecision decision = routes.get(query.host());
            if (decision != null) {
                return on.newSucceededFuture(decision);
            }
            Promise<RouteDecision> later = on.newPromise();
            slow.add(later);
            return later;
        }

        @Override
        public boolean isOpen() {
            return open;
        }

        @Override
        public int generation() {
            return generation;
        }
    };

    private final QuicGate gate = new QuicGate(EgressGate.OPEN, router, address -> told, loop);

    QuicGateTest() {
        gate.setPorts(TransparentPorts.parse("80,443"));
        routes.put("203.0.113.9", new RouteDecision(List.of(through()), "test"));
        routes.put("in.test", RouteDecision.direct("excluded"));
        routes.put("out.test", new RouteDecision(List.of(through()), "test"));
    }

    private static Hop through() {
        return new Hop.Through(new ProxyAddress(Protocol.HTTP, "proxy.test", 3128, null));
    }

    private Verdict judge(int protocol, int port) {
        return gate.judge(protocol, GUEST.hi(), GUEST.lo(), REMOTE.hi(), REMOTE.lo(), port, false, false);
    }

    @Test
    void quicToWhatGoesThroughAProxy_isRefused_andNothingElse() {
        assertThat(gate.isActive()).isTrue();
        assertThat(judge(IpProtocol.UDP, 443)).isEqualTo(Verdict.DENY);
        assertThat(judge(IpProtocol.UDP, 53)).isEqualTo(Verdict.ADMIT);
        assertThat(judge(IpProtocol.ICMP, 0)).isEqualTo(Verdict.ADMIT);
    }

    @Test
    void everyNameOfTheAddress_hasToBeDirect() {
        told.add("in.test");
        assertThat(judge(IpProtocol.UDP, 443)).isEqualTo(Verdict.ADMIT);

        told.add("out.test");
        assertThat(judge(IpProtocol.UDP, 443)).isEqualTo(Verdict.DENY);
    }

    @Test
    void routeThatTakesTime_costsTheDatagram() {
        told.add("slow.test");
        assertThat(judge(IpProtocol.UDP, 443)).isEqualTo(Verdict.LATER);
        assertThat(slow).hasSize(1);

        routes.put("slow.test", RouteDecision.direct("the script said so"));
        assertThat(judge(IpProtocol.UDP, 443)).isEqualTo(Verdict.ADMIT);
    }

    @Test
    void withoutAProxy_orWhereTcpIsNotTaken_nobodyNeedAsk() {
        open = true;
        assertThat(gate.isActive()).isFalse();
        assertThat(judge(IpProtocol.UDP, 443)).isEqualTo(Verdict.ADMIT);

        open = false;
        gate.setPorts(TransparentPorts.parse("80"));
        assertThat(gate.isActive()).isFalse();
        assertThat(judge(IpProtocol.UDP, 443)).isEqualTo(Verdict.ADMIT);
    }

    @Test
    void everyChange_asksAgain() {
        int before = gate.epoch();
        generation++;
        int changed = gate.epoch();
        gate.setPorts(TransparentPorts.NONE);

        assertThat(changed).isNotEqualTo(before);
        assertThat(gate.epoch()).isNotIn(before, changed);
    }

    @Test
    void policy_isAskedBehindIt() {
        QuicGate strict = new QuicGate(
                new EgressGate() {
                    @Override
                    public boolean isActive() {
                        return true;
                    }

                    @Override
                    public int epoch() {
                        return 1;
                    }

                    @Override
                    public Verdict judge(
                            int protocol, long gh, long gl, long rh, long rl, int port, boolean again, boolean was) {
                        return Verdict.DENY;
                    }
                },
                Router.DIRECT,
                address -> List.of(),
                loop);

        assertThat(strict.isActive()).isTrue();
        assertThat(strict.judge(IpProtocol.UDP, 0, 1, 0, 2, 53, false, false)).isEqualTo(Verdict.DENY);
    }
}
