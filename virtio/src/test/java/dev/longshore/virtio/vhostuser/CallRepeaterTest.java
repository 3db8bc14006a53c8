package dev.longshore.virtio.vhostuser;

import static dev.longshore.virtio.virtqueue.DriverRing.readable;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.linux.Linux;
import dev.longshore.virtio.virtqueue.GuestRam;
import dev.longshore.virtio.virtqueue.Virtqueue;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A guest that sleeps through an interrupt, on a real socket in virtual time. */
class CallRepeaterTest {
    private static final long ALL = -1L;
    private static final long WITHOUT_EVENT_IDX = ~(1L << 29);
    private static final long LOOK = CallRepeater.LOOK_MICROS;

    @TempDir
    Path dir;

    private final Linux linux = new Linux();
    private final TestLoop loop = new TestLoop();
    private final RecordingDevice device = new RecordingDevice();
    private final GuestRam ram = GuestRam.ofQemu(linux, 1 << 20);
    private Path path = Path.of("unset");
    private VhostUserBackend backend = new VhostUserBackend(loop.loop(), device, path);

    @BeforeEach
    void listen() {
        path = dir.resolve("net.sock");
        backend = new VhostUserBackend(loop.loop(), device, path);
        assertThat(backend.open().isSuccess()).isTrue();
    }

    @AfterEach
    void release() {
        backend.close();
        loop.settle();
        loop.close();
        ram.close();
    }

    private FrontEnd connect() {
        return new FrontEnd(linux, loop::settle, ram, path, 2);
    }

    private FrontEnd bootedUml(long features) {
        FrontEnd front = connect();
        front.bootAsUml(256, features);
        loop.advance(10 * LOOK); // the calls of the set-up are no news
        front.takeCalls(0);
        front.takeCalls(1);
        return front;
    }

    private void serve(FrontEnd front, int queue) {
        front.ring(queue).wantCallAtNext();
        front.ring(queue).add(readable(ram.allocate(8, 8), 8));
        front.exposeAndKick(queue);
        assertThat(front.takeCalls(queue)).as("the first call").isTrue();
    }

    private static void answer(FrontEnd front, int queue) {
        Objects.requireNonNull(front.ring(queue).poll());
        front.ring(queue).wantCallAtNext();
    }

    private int callsIn(FrontEnd front, int queue, int looks) {
        int calls = 0;
        for (int i = 0; i < looks; i++) {
            loop.advance(LOOK);
            calls += front.takeCalls(queue) ? 1 : 0;
        }
        return calls;
    }

    @Test
    void uml_sleepsThroughACall_isCalledAgainAtTheSecondLook() {
        try (FrontEnd front = bootedUml(ALL)) {
            serve(front, 1);

            loop.advance(LOOK);
            assertThat(front.takeCalls(1)).as("it may just be on its way").isFalse();
            loop.advance(LOOK);
            assertThat(front.takeCalls(1)).isTrue();
            assertThat(backend.queue(1).counters().callsRepeated()).isEqualTo(1);

            answer(front, 1);
            assertThat(callsIn(front, 1, 20)).isZero();
        }
    }

    @Test
    void uml_answersInTime_isNotCalledAgain() {
        try (FrontEnd front = bootedUml(ALL)) {
            for (int i = 0; i < 10; i++) {
                serve(front, 1);
                answer(front, 1);
                assertThat(callsIn(front, 1, 3)).isZero();
            }
            assertThat(backend.queue(1).counters().callsRepeated()).isZero();
        }
    }

    @Test
    void uml_isCalledForSomethingElseMeanwhile_waitsForItsAnswerAnew() {
        try (FrontEnd front = bootedUml(ALL)) {
            serve(front, 1);
            loop.advance(LOOK);
            answer(front, 1);
            serve(front, 1);

            loop.advance(LOOK);
            assertThat(front.takeCalls(1)).isFalse();
            loop.advance(LOOK);
            assertThat(front.takeCalls(1)).isTrue();
        }
    }

    @Test
    void uml_sleepsThroughOneQueue_theOtherIsLeftAlone() {
        try (FrontEnd front = bootedUml(ALL)) {
            serve(front, 0);
            answer(front, 0);
            serve(front, 1);

            loop.advance(LOOK);
            loop.advance(LOOK);
            assertThat(front.takeCalls(0)).isFalse();
            assertThat(front.takeCalls(1)).isTrue();
        }
    }

    @Test
    void uml_neverAnswers_isLeftInPeaceAndNoTimerStays() {
        try (FrontEnd front = bootedUml(ALL)) {
            serve(front, 1);

            assertThat(callsIn(front, 1, 100)).isEqualTo(CallRepeater.MOST_REPEATS);
            assertThat(loop.hasTimers()).isFalse();
        }
    }

    @Test
    void uml_afterASilence_isWatchedAgain() {
        try (FrontEnd front = bootedUml(ALL)) {
            serve(front, 1);
            answer(front, 1);
            callsIn(front, 1, 5);
            assertThat(loop.hasTimers()).isFalse();

            serve(front, 1);
            assertThat(callsIn(front, 1, 2)).isEqualTo(1);
        }
    }

    @Test
    void uml_withoutEventIdx_cannotBeToldApartAndIsNotCalledAgain() {
        try (FrontEnd front = bootedUml(WITHOUT_EVENT_IDX)) {
            serve(front, 1);

            assertThat(callsIn(front, 1, 20)).isZero();
        }
    }

    @Test
    void uml_stopsTheQueue_isNotCalledAgain() {
        try (FrontEnd front = bootedUml(ALL)) {
            serve(front, 1);
            front.send(Message.SET_VRING_ENABLE, FrontEnd.NEED_REPLY, FrontEnd.state(1, 0));
            front.expectAck(Message.SET_VRING_ENABLE);

            assertThat(callsIn(front, 1, 20)).isZero();
            assertThat(loop.hasTimers()).isFalse();
        }
    }

    @Test
    void uml_disconnects_noTimerStays() {
        try (FrontEnd front = bootedUml(ALL)) {
            serve(front, 1);
            assertThat(loop.hasTimers()).isTrue();
        }
        loop.settle();

        assertThat(loop.hasTimers()).isFalse();
    }

    @Test
    void qemu_itsEventFdsAreNotRepeated() {
        try (FrontEnd front = connect()) {
            front.bootAsQemu(256, ALL & ~Virtqueue.FEATURE_PACKED, 0);
            front.takeCalls(1);
            serve(front, 1);

            assertThat(callsIn(front, 1, 20)).isZero();
            assertThat(loop.hasTimers()).isFalse();
        }
    }
}
