package dev.longshore.portforward;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.vpnkit.flow.GuestConnector.UdpFlow;
import io.netty.buffer.ByteBuf;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** In virtual time, with a clock about to overflow. */
class UdpFlowsTest {
    private static final long IDLE = Duration.ofSeconds(10).toNanos();
    private static final long START = Long.MAX_VALUE - IDLE / 2;

    private final Traffic traffic = new Traffic();
    private final UdpFlows flows = new UdpFlows(new UdpLimits(Duration.ofNanos(IDLE), 3), traffic);
    private final List<Integer> closed = new ArrayList<>();
    private int opened;

    private UdpFlows.Client send(int client, long now) {
        return flows.clientOf(0, 0xFFFF_7F00_0001L, client, now, this::open);
    }

    private UdpFlow open(UdpFlows.Client client) {
        opened++;
        return new UdpFlow() {
            @Override
            public void sendToGuest(ByteBuf b, int at, int len) {}

            @Override
            public void close() {
                closed.add(client.port);
            }
        };
    }

    @Test
    void sameClient_keepsItsFlow() {
        UdpFlows.Client first = send(1, START);
        assertThat(send(1, START + IDLE - 1)).isSameAs(first);
        assertThat(opened).isEqualTo(1);
    }

    @Test
    void idleClients_areForgottenOnTime() {
        send(1, START);
        send(2, START + 5);
        assertThat(flows.nextExpiry(START + 5)).isEqualTo(IDLE - 5);
        flows.expire(START + IDLE - 1);
        assertThat(closed).isEmpty();
        flows.expire(START + IDLE);
        assertThat(closed).containsExactly(1);
        assertThat(flows.nextExpiry(START + IDLE)).isEqualTo(5);
        flows.expire(START + IDLE + 5);
        assertThat(closed).containsExactly(1, 2);
        assertThat(flows.nextExpiry(START + IDLE + 5)).isEqualTo(-1);
        assertThat(traffic.active).isZero();
        assertThat(traffic.total).isEqualTo(2);
    }

    @Test
    void answers_keepAClient() {
        UdpFlows.Client client = send(1, START);
        assertThat(flows.touch(client, START + IDLE - 1)).isTrue();
        flows.expire(START + IDLE);
        assertThat(closed).isEmpty();
        flows.expire(START + 2 * IDLE);
        assertThat(flows.touch(client, START + 2 * IDLE)).isFalse();
    }

    @Test
    void tooManyClients_theOneIdleForLongestGoes() {
        send(1, START);
        send(2, START + 1);
        send(3, START + 2);
        send(1, START + 3);
        send(4, START + 4);
        assertThat(closed).containsExactly(2);
        assertThat(flows.size()).isEqualTo(3);
    }

    @Test
    void closeAll_closesEachOnce() {
        send(1, START);
        send(2, START);
        flows.closeAll();
        flows.closeAll();
        assertThat(closed).containsExactlyInAnyOrder(1, 2);
        assertThat(traffic.active).isZero();
    }
}
