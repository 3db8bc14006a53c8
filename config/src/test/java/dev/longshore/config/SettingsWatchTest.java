package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Real files; every change is waited for, none is timed. */
@Timeout(60)
class SettingsWatchTest {
    @TempDir
    private Path directory;

    private final LinkedBlockingQueue<String> seen = new LinkedBlockingQueue<>();

    private SettingsWatch watch(Path... files) throws IOException {
        Path first = files[0];
        return new SettingsWatch(List.of(files), () -> seen.add(content(first)));
    }

    private static String content(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return "none";
        }
    }

    /** The change may be seen in two steps; the last one is complete. */
    private void await(String content) throws InterruptedException {
        for (String got = seen.poll(30, TimeUnit.SECONDS); !content.equals(got); ) {
            assertThat(got).as("waiting for '%s'", content).isNotNull();
            got = seen.poll(30, TimeUnit.SECONDS);
        }
    }

    @Test
    void everyWayToChangeAFile_isSeen() throws Exception {
        Path file = directory.resolve("settings.json");
        try (SettingsWatch watch = watch(file)) {
            assertThat(watch).isNotNull();
            Files.writeString(file, "made");
            await("made");
            Files.writeString(file, "written in place", StandardOpenOption.TRUNCATE_EXISTING);
            await("written in place");
            Path other = Files.writeString(directory.resolve(".settings.json.swp"), "replaced by rename");
            Files.move(other, file, StandardCopyOption.ATOMIC_MOVE);
            await("replaced by rename");
            Files.delete(file);
            await("none");
            Files.writeString(file, "made again");
            await("made again");
        }
    }

    @Test
    void fileBehindALink_isSeenWhereItIs() throws Exception {
        Path dotfiles = Files.createDirectory(directory.resolve("dotfiles"));
        Path real = Files.writeString(dotfiles.resolve("mine.json"), "one");
        Path home = Files.createDirectory(directory.resolve("home"));
        Path file = Files.createSymbolicLink(home.resolve("settings.json"), real);
        try (SettingsWatch watch = watch(file)) {
            assertThat(watch).isNotNull();
            Files.writeString(real, "two two");
            await("two two");
            Path third = Files.writeString(dotfiles.resolve("other.json"), "another target");
            Files.delete(file);
            Files.createSymbolicLink(file, third);
            await("another target");
        }
    }

    @Test
    void directoryThatIsMissing_isSeenWhenItIsMade() throws Exception {
        Path file = directory.resolve("a/b/admin-settings.json");
        try (SettingsWatch watch = watch(file)) {
            assertThat(watch).isNotNull();
            Files.createDirectories(file.resolveSibling("."));
            Files.writeString(file, "late");
            await("late");
        }
    }

    /** The directories are made while the watch looks for them, at one moment or another. */
    @RepeatedTest(20)
    void directoryThatIsMadeWhileTheWatchBegins_isSeen(RepetitionInfo round) throws Exception {
        Path file = directory.resolve("a/b/c/admin-settings.json");
        try (SettingsWatch watch = watch(file)) {
            assertThat(watch).isNotNull();
            for (int i = 0; i < round.getCurrentRepetition() * 500; i++) {
                Thread.onSpinWait();
            }
            Files.createDirectories(file.resolveSibling("."));
            Files.writeString(file, "late");
            await("late");
        }
    }

    @Test
    void otherFilesOfTheDirectory_areNoChange_andKeepNothingFromBeingSeen() throws Exception {
        Path file = directory.resolve("settings.json");
        Path disk = directory.resolve("data.ext4");
        try (SettingsWatch watch = watch(file)) {
            assertThat(watch).isNotNull();
            for (int i = 0; i < 2000; i++) {
                Files.writeString(disk, "busy " + i);
            }
            Files.writeString(file, "seen");
            await("seen");
        }
        assertThat(seen).isEmpty();
    }

    @Test
    void closed_nothingIsCalledAnyMore() throws Exception {
        Path file = directory.resolve("settings.json");
        SettingsWatch watch = watch(file);
        watch.close();
        watch.close();

        Files.writeString(file, "unseen");

        assertThat(seen).isEmpty();
    }
}
