package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.longshore.testkit.FaultInjector;
import io.netty.util.ResourceLeakDetector;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * How long a download takes over a lossy link, in virtual time: a stall, a timeout too many or a recovery that gives up fails
 * here, though every byte arrives in the end.
 */
class TcpGoodputTest {
    private static final int BYTES = 250_000;

    /** One way, there and back: 2 ms, as for a guest that is busy. */
    private static final Duration STEP = Duration.ofMillis(1);

    private final ResourceLeakDetector.Level level = ResourceLeakDetector.getLevel();

    @BeforeEach
    void trackNoBuffers() {
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED); // they pass by the million
    }

    @AfterEach
    void trackBuffersAgain() {
        ResourceLeakDetector.setLevel(level);
    }

    /** Loss both ways, duplicates, reordering, and the time allowed with and without SACK, in milliseconds. */
    static Stream<Arguments> links() {
        return Stream.of(
                Arguments.of(0.0, 0.0, 0.0, 20, 20),
                Arguments.of(0.001, 0.0, 0.0, 20, 300),
                Arguments.of(0.01, 0.0, 0.0, 150, 1000),
                Arguments.of(0.01, 0.1, 0.1, 150, 1000),
                Arguments.of(0.05, 0.0, 0.0, 300, 2500),
                Arguments.of(0.1, 0.1, 0.1, 5000, 8000),
                Arguments.of(0.2, 0.0, 0.0, 25_000, 60_000),
                Arguments.of(0.2, 0.2, 0.2, 40_000, 90_000));
    }

    @ParameterizedTest(name = "loss {0}, duplicates {1}, reordering {2}")
    @MethodSource("links")
    void download_isDoneInTime(double loss, double duplicates, double reordering, long withSack, long without) {
        for (int seed = 1; seed <= 2; seed++) {
            assertThat(millis(seed, loss, duplicates, reordering, true))
                    .as("milliseconds with SACK and timestamps, seed %d", seed)
                    .isLessThanOrEqualTo(withSack);
            assertThat(millis(seed, loss, duplicates, reordering, false))
                    .as("milliseconds without, seed %d", seed)
                    .isLessThanOrEqualTo(without);
        }
    }

    private long millis(long seed, double loss, double duplicates, double reordering, boolean modern) {
        Random random = new Random(seed);
        byte[] down = new byte[BYTES];
        random.nextBytes(down);
        try (TcpBench bench = new TcpBench()) {
            bench.link.faults(
                    new FaultInjector(seed, loss, duplicates, reordering),
                    new FaultInjector(-seed, loss, duplicates, reordering).damaging(loss / 4));
            ModelGuest guest = new ModelGuest(bench, 4000, new byte[0], BYTES, random, modern, modern);
            guest.connects();
            while (bench.dials.isEmpty()) {
                bench.advance(STEP);
            }
            FakeHost host = bench.connects();
            int given = 0;
            int steps = 0;
            while (!guest.isDone()) {
                int n = Math.min(64 << 10, BYTES - given);
                if (n > 0 && host.unread() < 64 << 10) {
                    host.sends(Arrays.copyOfRange(down, given, given + n));
                    given += n;
                    if (given == BYTES) {
                        host.finishes();
                    }
                }
                bench.run();
                bench.advance(STEP);
                if (steps % 5 == 0) {
                    bench.link.releaseDelayed();
                }
                guest.poll();
                if (guest.failure() != null || steps++ > 200_000) {
                    fail("seed " + seed + " step " + steps + " " + guest.story() + bench.stack.snapshot());
                }
            }
            assertThat(guest.received()).as("seed %d", seed).isEqualTo(down);
            bench.guestEnd.clearReceived();
            return steps;
        }
    }
}
