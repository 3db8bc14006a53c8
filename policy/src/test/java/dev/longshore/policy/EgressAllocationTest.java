package dev.longshore.policy;

import static dev.longshore.policy.Policies.container;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.vpnkit.hostsocket.EgressGate;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/** Judging a datagram makes no object, not even when it is judged anew each time, or denied again and again. */
class EgressAllocationTest {
    private static final int PACKETS = 20_000;
    private static final int ROUNDS = 8;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @Test
    void judging_allocatesNothing() {
        try (PolicyRig rig = new PolicyRig()) {
            rig.obey("""
                    {'rules': [
                      {'action': 'deny', 'to': ['10.0.0.0/8', '*.ads.example', 'x.example'], 'log': false},
                      {'action': 'deny', 'from': {'container': 'db-*'}},
                      {'action': 'deny', 'to': '198.51.100.0/24'}]}
                    """);
            rig.resolves("www.example.com", "192.0.2.9");
            rig.containers.known.put(PolicyRig.WEB, container("web"));
            long least = Long.MAX_VALUE;
            int wrong = 0;
            for (int round = 0; round < ROUNDS; round++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < PACKETS; i++) {
                    wrong += judge(rig, GUEST, NAMED, i & 1023) == EgressGate.Verdict.ADMIT ? 0 : 1;
                    wrong += judge(rig, GUEST, DENIED, 53) == EgressGate.Verdict.DENY ? 0 : 1;
                    wrong += judge(rig, PolicyRig.WEB, NAMED, 53) == EgressGate.Verdict.ADMIT ? 0 : 1;
                }
                least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
            }
            assertThat(wrong).isZero();
            assertThat(least).as("bytes in the best round").isZero();
        }
    }

    private static final IpAddress GUEST = IpAddress.parse("192.168.65.3");
    private static final IpAddress NAMED = IpAddress.parse("192.0.2.9");
    private static final IpAddress DENIED = IpAddress.parse("198.51.100.1");

    private static EgressGate.Verdict judge(PolicyRig rig, IpAddress from, IpAddress to, int port) {
        return rig.egress.judge(IpProtocol.UDP, from.hi(), from.lo(), to.hi(), to.lo(), port, false, false);
    }
}
