package dev.longshore.vm.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.vm.image.HostTools;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Life and death of the guest's processes, with shells in the place of machines. */
@Timeout(60)
class GuestProcessTest {
    private static final Duration LONG = Duration.ofSeconds(30);
    private static final AtomicInteger COUNT = new AtomicInteger();

    private final HostTools tools = HostTools.of(System.getenv());

    /** A number of seconds to sleep that no other process on this machine has in its command line. */
    private final String nap = ProcessHandle.current().pid() + "" + COUNT.incrementAndGet() + "77";

    @TempDir
    private Path directory;

    @Test
    void guestEnds_exitTellsCodeAndLastWords() throws Exception {
        MachineExit exit = start("echo one; echo two; exit 3").exit().get();

        assertThat(exit.code()).isEqualTo(3);
        assertThat(exit.requested()).isFalse();
        assertThat(exit.describe()).isEqualTo("the guest ended by itself with exit code 3; its last words: two");
        assertThat(Files.readString(console())).contains(" one\n", " two\n");
    }

    @Test
    void guestSaysWhatIsWrong_exitTellsIt() throws Exception {
        MachineExit exit = start("echo 'longshore: fatal: the data disk is damaged'")
                .exit()
                .get();

        assertThat(exit.describe()).isEqualTo("the guest stopped: the data disk is damaged");
    }

    @Test
    void stop_guestPowersOff_isNotKilled() throws Exception {
        GuestProcess guest = start("while [ ! -e " + directory + "/off ]; do sleep 0.05; done; echo bye");

        MachineExit exit = guest.stop(
                        () -> {
                            touch("off");
                            return CompletableFuture.completedFuture("ok");
                        },
                        LONG)
                .get();

        assertThat(exit.code()).isZero();
        assertThat(exit.describe()).isEqualTo("the guest powered off");
        assertThat(exit.lastLines()).endsWith("bye");
    }

    @Test
    void stop_guestCannotBeAsked_isKilledAtOnce() throws Exception {
        GuestProcess guest = start("exec sleep " + nap);

        MachineExit exit = guest.stop(() -> CompletableFuture.failedFuture(new IllegalStateException("gone")), LONG)
                .get();

        assertThat(exit.requested()).isTrue();
        assertThat(exit.describe()).isEqualTo("the guest was killed");
    }

    @Test
    void stop_askingThrows_isKilledAtOnce() throws Exception {
        GuestProcess guest = start("exec sleep " + nap);

        MachineExit exit = guest.stop(
                        () -> {
                            throw new IllegalStateException("bug");
                        },
                        LONG)
                .get();

        assertThat(exit.describe()).isEqualTo("the guest was killed");
    }

    /** The instant in which the guest's child is there and has not asked yet to end with its parent. */
    @Test
    void killedWhileItStarts_leavesNobody() throws Exception {
        for (int i = 0; i < 200; i++) {
            GuestProcess guest = start("exec sleep " + nap);
            busy(i * 10_000L);
            guest.kill();
            assertThat(guest.exit().get().describe()).isEqualTo("the guest was killed");
        }
        assertNoneLeft();
    }

    private static void busy(long nanos) {
        long end = System.nanoTime() + nanos;
        while (System.nanoTime() - end < 0) {
            Thread.onSpinWait();
        }
    }

    @Test
    void stop_guestDoesNotPowerOff_isKilledAfterTheLimit() throws Exception {
        GuestProcess guest = start("exec sleep " + nap);

        MachineExit exit = guest.stop(() -> CompletableFuture.completedFuture("ok"), Duration.ofMillis(100))
                .get();

        assertThat(exit.describe()).isEqualTo("the guest was killed");
        assertNoneLeft();
    }

    @Test
    void stop_guestHasEnded_completes() throws Exception {
        GuestProcess guest = start("exit 0");
        guest.exit().get();

        assertThat(guest.stop(CompletableFuture::new, LONG).get().code()).isZero();
    }

    @Test
    void programMissing_exitTells() throws Exception {
        GuestProcess guest = start(List.of(directory.resolve("nothing").toString()), "no mark", Leash.choose(tools));

        assertThat(guest.exit().get().code()).isNotZero();
    }

    @Test
    void earlierGuestLeft_isKilledAndItsFilesDeleted() throws Exception {
        Process old = new ProcessBuilder("sleep", nap).start();
        touch("old-pid");

        GuestProcess guest = GuestProcess.start(
                new Machine.Launch(List.of("true"), Map.of(), nap, List.of(directory.resolve("old-pid"))),
                console(),
                1 << 20,
                tools,
                Leash.choose(tools));

        assertThat(old.waitFor()).isNotZero();
        assertThat(directory.resolve("old-pid")).doesNotExist();
        guest.exit().get();
    }

    @Test
    void setprivMissing_startTellsThePackage() {
        assertThatThrownBy(() -> Leash.choose(new HostTools(List.of(directory))))
                .isInstanceOf(MachineException.class)
                .hasMessageContaining("sudo apt-get install util-linux");
    }

    /** With a daemonised child, as the traced processes of User-mode Linux are to the first one. */
    @ParameterizedTest
    @EnumSource(Leash.class)
    void daemonKilled_noProcessOfTheGuestIsLeft(Leash leash) throws Exception {
        List<String> command = DaemonProgram.commandLine(leash, console(), List.of("sh", "-c", family()));
        Process daemon = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        assertThat(daemon.inputReader().readLine()).isEqualTo("started");
        awaitSleepers(2);

        daemon.destroyForcibly();

        daemon.waitFor();
        assertNoneLeft();
    }

    @ParameterizedTest
    @EnumSource(Leash.class)
    void kill_noProcessOfTheGuestIsLeft(Leash leash) throws Exception {
        GuestProcess guest = start(List.of("sh", "-c", family()), "no mark", leash);
        awaitSleepers(2);

        guest.kill();

        guest.exit().get(20, TimeUnit.SECONDS);
        assertNoneLeft();
    }

    @ParameterizedTest
    @EnumSource(Leash.class)
    void firstProcessKilled_noOtherIsLeft(Leash leash) throws Exception {
        GuestProcess guest = start(List.of("sh", "-c", family()), "no mark", leash);
        awaitSleepers(2);

        sleepers().stream()
                .filter(p -> p.parent().flatMap(ProcessHandle::parent).isPresent())
                .forEach(p -> {
                    if (p.children().findAny().isPresent()) {
                        p.destroyForcibly();
                    }
                });

        guest.exit().get(20, TimeUnit.SECONDS);
        assertNoneLeft();
    }

    @ParameterizedTest
    @EnumSource(Leash.class)
    void guestEndsByItself_exitCodeComesThrough(Leash leash) throws Exception {
        assertThat(start(List.of("sh", "-c", "exit 7"), "no mark", leash)
                        .exit()
                        .get()
                        .code())
                .isEqualTo(7);
    }

    /** The first process, with a child. */
    private String family() {
        return "sleep " + nap + " & exec sleep " + nap;
    }

    private GuestProcess start(String script) throws Exception {
        return start(List.of("sh", "-c", script, nap), nap, Leash.choose(tools));
    }

    private GuestProcess start(List<String> command, String mark, Leash leash) throws Exception {
        return GuestProcess.start(
                new Machine.Launch(command, Map.of(), mark, List.of()), console(), 1 << 20, tools, leash);
    }

    private Path console() {
        return directory.resolve("console.log");
    }

    private void touch(String name) {
        try {
            Files.createFile(directory.resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private List<ProcessHandle> sleepers() {
        return ProcessHandle.allProcesses()
                .filter(p ->
                        p.info().arguments().map(List::of).orElse(List.of()).equals(List.of(nap)))
                .toList();
    }

    private void awaitSleepers(int count) {
        while (sleepers().size() < count) {
            Thread.onSpinWait();
        }
    }

    /** Dying takes the kernel a moment; that it happens is what counts. */
    private void assertNoneLeft() throws Exception {
        for (ProcessHandle sleeper : sleepers()) {
            sleeper.onExit().get(20, TimeUnit.SECONDS);
        }
        assertThat(sleepers()).isEmpty();
    }
}
