package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.longshore.testkit.FaultInjector;
import io.netty.util.ResourceLeakDetector;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Loss, duplicates and reordering in both directions, seeded, against a model of a guest: every byte arrives, both ways. */
class TcpMatrixTest {
    private static final int BYTES = 60_000;

    private final ResourceLeakDetector.Level level = ResourceLeakDetector.getLevel();

    @BeforeEach
    void trackNoBuffers() {
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED); // they pass by the million
    }

    @AfterEach
    void trackBuffersAgain() {
        ResourceLeakDetector.setLevel(level);
    }

    static Stream<Arguments> matrix() {
        double[] losses = {0, 0.01, 0.1, 0.25};
        return Arrays.stream(losses)
                .boxed()
                .flatMap(loss -> Stream.of(
                        Arguments.of(loss, 0.0, 0.0, false),
                        Arguments.of(loss, 0.1, 0.0, false),
                        Arguments.of(loss, 0.0, 0.2, true),
                        Arguments.of(loss, 0.1, 0.2, false),
                        Arguments.of(loss, 0.1, 0.2, true)));
    }

    @ParameterizedTest(name = "loss {0}, duplicates {1}, reordering {2}, offload {3}")
    @MethodSource("matrix")
    void everyByteArrives(double loss, double duplicates, double reordering, boolean offload) {
        for (long seed = 1; seed <= 3; seed++) {
            transfer(seed, loss, duplicates, reordering, offload);
        }
    }

    private void transfer(long seed, double loss, double duplicates, double reordering, boolean offload) {
        Random random = new Random(seed);
        byte[] up = new byte[BYTES];
        byte[] down = new byte[BYTES];
        random.nextBytes(up);
        random.nextBytes(down);
        try (TcpBench bench = new TcpBench()) {
            if (offload) {
                bench.link.offloading();
            }
            bench.link.faults(
                    new FaultInjector(seed, loss, duplicates, reordering),
                    new FaultInjector(-seed, loss, duplicates, reordering));
            ModelGuest guest = new ModelGuest(bench, 4000, up, down.length, random, seed % 2 == 0, seed % 3 == 0);
            guest.connects();
            FakeHost host = null;
            int given = 0;
            int step = 0;
            boolean finished = false;
            while (!guest.isDone() || !bench.stack.snapshot().isEmpty()) {
                if (host == null && !bench.dials.isEmpty()) {
                    host = bench.connects();
                }
                if (host != null && given < down.length && host.unread() < 64 << 10) {
                    int n = Math.min(1 + random.nextInt(9000), down.length - given);
                    host.sends(Arrays.copyOfRange(down, given, given + n));
                    given += n;
                } else if (host != null && given == down.length && !finished) {
                    finished = true;
                    host.finishes();
                }
                bench.run();
                guest.poll();
                bench.advance(Duration.ofMillis(5));
                guest.poll();
                if (guest.failure() != null || step++ > 200_000) {
                    fail("seed " + seed + " step " + step + " " + guest.story() + bench.stack.snapshot());
                }
            }
            Objects.requireNonNull(host);
            assertThat(Arrays.equals(guest.received(), down))
                    .as("to guest, seed %d", seed)
                    .isTrue();
            assertThat(Arrays.equals(host.takeReceived(), up))
                    .as("from guest, seed %d", seed)
                    .isTrue();
            assertThat(host.sawEof()).isTrue();
            assertThat(host.isReset()).isFalse();
            if (duplicates > 0 && seed % 2 == 0) {
                assertThat(guest.duplicatesTold()).as("D-SACK, seed %d", seed).isPositive();
            }
            bench.guestEnd.clearReceived();
        }
    }
}
