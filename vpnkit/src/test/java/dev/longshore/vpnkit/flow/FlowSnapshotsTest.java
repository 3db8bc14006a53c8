package dev.longshore.vpnkit.flow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.testkit.VirtualLoop;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FlowSnapshotsTest {
    private static final int FLOWS = 16_384;

    private final VirtualLoop loop = new VirtualLoop();
    private int looked;
    private int mostInOneTask;

    @AfterEach
    void close() {
        loop.close();
    }

    private static FlowSnapshot flow(int port) {
        IpAddress guest = IpAddress.parse("192.168.65.3");
        IpAddress remote = IpAddress.parse("192.0.2.1");
        return new FlowSnapshot(
                IpProtocol.TCP,
                guest,
                port,
                remote,
                80,
                null,
                false,
                "ESTABLISHED",
                1,
                2,
                0,
                -1,
                1460,
                1,
                1,
                0,
                5,
                6,
                null);
    }

    private void addFlows(List<SeenFlow> list) {
        for (int i = 0; i < FLOWS; i++) {
            int port = i;
            list.add(new SeenFlow() {
                @Override
                public boolean isLive() {
                    looked++;
                    return port % 2 == 0;
                }

                @Override
                public FlowSnapshot snapshot() {
                    return flow(port);
                }
            });
        }
    }

    @Test
    void manyFlows_taken_areLookedAtInPieces() {
        CompletableFuture<List<FlowSnapshot>> taken = FlowSnapshots.take(loop, this::addFlows);
        Runnable between = new Runnable() {
            private int before;

            @Override
            public void run() {
                mostInOneTask = Math.max(mostInOneTask, looked - before);
                before = looked;
                if (!taken.isDone()) {
                    loop.execute(this);
                }
            }
        };
        loop.execute(between);
        loop.runDue();

        assertThat(taken.join()).hasSize(FLOWS / 2);
        assertThat(mostInOneTask).isPositive().isLessThanOrEqualTo(512);
    }

    @Test
    void source_thatFails_failsTheLook() {
        CompletableFuture<List<FlowSnapshot>> taken = FlowSnapshots.take(loop, list -> {
            throw new IllegalStateException("a bug");
        });
        loop.runDue();

        assertThat(taken).isCompletedExceptionally();
    }

    @Test
    void loop_hasEnded_failsTheLook() {
        loop.close();

        assertThat(FlowSnapshots.take(loop, this::addFlows)).isCompletedExceptionally();
    }
}
