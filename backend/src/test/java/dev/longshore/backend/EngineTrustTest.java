package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.control.Events;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** With real files, and an Engine that does what the test says. */
@Timeout(60)
class EngineTrustTest {
    private static final String RESTARTED = "it was restarted under its containers";

    @TempDir
    private Path dir;

    private final BlockingQueue<String> steps = new LinkedBlockingQueue<>();
    private final BlockingQueue<String> told = new LinkedBlockingQueue<>();
    private final FakeEngine engine = new FakeEngine();

    @SuppressWarnings("NullAway.Init") // made before each test
    private EngineTrust trust;

    @SuppressWarnings("NullAway.Init") // made before each test
    private Path mine;

    private final class FakeEngine implements EngineTrust.Control {
        volatile boolean up;
        volatile boolean swarm;
        final AtomicInteger busy = new AtomicInteger();
        volatile boolean broken;
        final AtomicInteger silent = new AtomicInteger();
        final Semaphore asked = new Semaphore(0); // whether it is up

        @Override
        public void hand(List<String> lines) throws IOException {
            if (silent.getAndDecrement() > 0) {
                steps.add("silence");
                throw new IOException("the agent is silent");
            }
            steps.add("hand " + String.join(",", lines.subList(1, lines.size() - 1)));
        }

        @Override
        public boolean isUp() {
            boolean answer = up;
            asked.release();
            return answer;
        }

        @Override
        public boolean isInSwarm() {
            return swarm;
        }

        @Override
        public boolean pause() {
            steps.add("pause");
            return busy.getAndDecrement() <= 0;
        }

        @Override
        public void restart() throws IOException {
            if (broken) {
                throw new IOException("it would not die");
            }
            steps.add("restart");
        }

        @Override
        public void resume() {
            steps.add("resume");
        }
    }

    @BeforeEach
    void begin() throws Exception {
        mine = dir.resolve("mine.pem");
        certificate("AAAA");
        trust = fresh();
        trust.use(List.of(mine));
        expect("hand AAAA");
        engine.asked.acquire();
        engine.up = true;
    }

    private EngineTrust fresh() {
        return new EngineTrust(
                engine,
                List.of(dir.resolve("store.pem")),
                files -> steps.add("changed " + files.getFirst().getFileName()),
                what -> told.add(((Events.Notice) what).text()),
                Duration.ofMillis(1));
    }

    @AfterEach
    void end() {
        trust.close();
    }

    private void certificate(String body) throws IOException {
        Path fresh = dir.resolve("fresh");
        Files.writeString(fresh, "-----BEGIN CERTIFICATE-----\n" + body + "\n-----END CERTIFICATE-----\n");
        Files.move(fresh, mine, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    }

    private void expect(String... wanted) throws InterruptedException {
        for (String step : wanted) {
            assertThat(steps.take()).isEqualTo(step);
        }
    }

    @Test
    void fileThatChanges_isHandedOver_andTheEngineRestarted() throws Exception {
        certificate("BBBB");
        expect("changed mine.pem", "hand BBBB", "pause", "restart", "resume");
        assertThat(told.take()).contains(RESTARTED);
        certificate("CCCC");
        expect("changed mine.pem", "hand CCCC", "pause", "restart", "resume");
        assertThat(told.take()).contains(RESTARTED);
    }

    @Test
    void settingThatNamesOtherFiles_andTheHostsStore_countToo() throws Exception {
        Path other = Files.copy(mine, dir.resolve("other.pem"));
        Files.writeString(other, Files.readString(other).replace("AAAA", "DDDD"));
        trust.use(List.of(other));
        expect("changed other.pem", "hand DDDD", "pause", "restart", "resume");

        Files.copy(mine, dir.resolve("store.pem"));
        expect(
                "changed other.pem",
                "hand AAAA,-----END CERTIFICATE-----,-----BEGIN CERTIFICATE-----,DDDD",
                "pause",
                "restart",
                "resume");
    }

    @Test
    void whatIsTheSame_restartsNothing() throws Exception {
        trust.use(List.of(mine, dir.resolve("mine.pem")));
        Files.setLastModifiedTime(mine, java.nio.file.attribute.FileTime.fromMillis(0));
        certificate("BBBB");
        expect("changed mine.pem", "hand BBBB");
    }

    @Test
    void engineThatIsUsed_isWaitedFor_andTheUserIsTold() throws Exception {
        engine.busy.set(7);
        certificate("BBBB");
        expect("changed mine.pem", "hand BBBB");
        for (int i = 0; i < 8; i++) {
            expect("pause");
        }
        expect("restart", "resume");
        assertThat(told.take()).contains("as soon as no docker command is under way", "longshore restart");
        assertThat(told.take()).contains(RESTARTED);
    }

    @Test
    void changeThatIsTakenBackMeanwhile_restartsNothing() throws Exception {
        engine.up = false;
        certificate("BBBB");
        expect("changed mine.pem", "hand BBBB");
        certificate("AAAA");
        expect("changed mine.pem", "hand AAAA");
        engine.up = true;
        certificate("CCCC");
        expect("changed mine.pem", "hand CCCC", "pause", "restart", "resume");
    }

    @Test
    void swarm_isLeftAlone_andTheUserToldWhatToDo() throws Exception {
        engine.swarm = true;
        certificate("BBBB");
        expect("changed mine.pem", "hand BBBB");
        assertThat(told.take()).contains("swarm", "longshore restart");
        engine.swarm = false;
        certificate("CCCC");
        expect("changed mine.pem", "hand CCCC", "pause", "restart", "resume");
    }

    @Test
    void restartThatFails_isTold_andCallersGoOn() throws Exception {
        engine.broken = true;
        certificate("BBBB");
        expect("changed mine.pem", "hand BBBB", "pause", "resume");
        assertThat(told.take()).contains("it would not die", "longshore restart");
    }

    @Test
    void agentThatDoesNotTakeThem_isTold_andAskedAgain_withoutAnotherChange() throws Exception {
        engine.silent.set(3);
        certificate("BBBB");
        expect("changed mine.pem", "silence", "silence", "silence", "hand BBBB", "pause", "restart", "resume");
        assertThat(told.take()).contains("does not trust what the host trusts", "the agent is silent", "tried again");
        assertThat(told.take()).contains(RESTARTED);
        assertThat(told).isEmpty();
    }

    @Test
    void firstThatAreTakenLate_byAnEngineThatIsUp_restartIt() throws Exception {
        beginAgain(2, true);
        expect("silence", "silence", "hand AAAA", "pause", "restart", "resume");
        assertThat(told.take()).contains("does not trust what the host trusts");
        assertThat(told.take()).contains(RESTARTED);
    }

    @Test
    void firstThatAreTakenLate_beforeTheEngineIsUp_restartNothing() throws Exception {
        beginAgain(2, false);
        expect("silence", "silence", "hand AAAA");
        assertThat(told.take()).contains("does not trust what the host trusts");
        assertThat(told.take()).contains("trusts what the host trusts now");
        engine.up = true;
        certificate("BBBB");
        expect("changed mine.pem", "hand BBBB", "pause", "restart", "resume");
    }

    private void beginAgain(int silence, boolean up) {
        trust.close();
        engine.silent.set(silence);
        engine.up = up;
        trust = fresh();
        trust.use(List.of(mine));
    }

    @Test
    void answerThatIsLost_isNoSignOfWhatTheGuestHas() throws Exception {
        engine.silent.set(Integer.MAX_VALUE);
        certificate("BBBB");
        expect("changed mine.pem", "silence");
        certificate("AAAA");
        await("changed mine.pem");
        engine.silent.set(0);
        await("hand AAAA");
    }

    private void await(String step) throws InterruptedException {
        while (!steps.take().equals(step)) {}
    }

    @Test
    void close_endsAWait() throws Exception {
        engine.busy.set(Integer.MAX_VALUE);
        certificate("BBBB");
        expect("changed mine.pem", "hand BBBB", "pause");
        trust.close();
        steps.clear();
        trust.use(List.of());
        assertThat(steps).isEmpty();
    }
}
