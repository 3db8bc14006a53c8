package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.control.FilesControl;
import dev.longshore.control.Outcome;
import dev.longshore.fileshare.fuse.FileAccess;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class FileAccessLogTest {
    private final List<FileAccess.@Nullable Listener> listeners = new ArrayList<>();
    private final FileAccessLog log = new FileAccessLog(listeners::add);
    private int wakes;

    private FilesControl.Watch watch(String under) {
        return log.watch(under, () -> wakes++) instanceof Outcome.Done<FilesControl.Watch> d
                ? d.value()
                : throw_(under);
    }

    private static FilesControl.Watch throw_(String under) {
        throw new AssertionError("no watch of " + under);
    }

    private static FileAccess access(String path, String to) {
        return new FileAccess(1, FileAccess.Kind.OPEN_TO_READ, path, to, 2, 3, 4, 13, 5, 6);
    }

    private List<String> paths(FilesControl.Watch watch) {
        return watch.drain(1000).stream().map(FilesControl.Access::path).toList();
    }

    @Test
    void serverIsListenedTo_onlyWhileSomebodyWatches() {
        FilesControl.Watch a = watch("");
        FilesControl.Watch b = watch("");
        a.end();
        assertThat(listeners).containsExactly(log, log);

        b.end();
        b.end();

        assertThat(listeners).containsExactly(log, log, null);
    }

    @Test
    void access_isTold_withTheReason() {
        FilesControl.Watch all = watch("");

        log.onAccess(access("/a", "/b"));

        assertThat(wakes).isEqualTo(1);
        assertThat(all.drain(10))
                .containsExactly(
                        new FilesControl.Access(1, "open-to-read", "/a", "/b", 2, 3, 4, 13, "permission denied", 5, 6));
        assertThat(all.drain(10)).isEmpty();
    }

    @Test
    void folder_isNotItsNamesake() {
        FilesControl.Watch watch = watch("/home/u/src/");

        log.onAccess(access("/home/u/src", ""));
        log.onAccess(access("/home/u/src/a", ""));
        log.onAccess(access("/home/u/src2", ""));
        log.onAccess(access("/home/u", ""));
        log.onAccess(access("/elsewhere", "/home/u/src/b"));

        assertThat(paths(watch)).containsExactly("/home/u/src", "/home/u/src/a", "/elsewhere");
    }

    @Test
    void slowWatcher_losesAccesses_whichAreCounted() {
        FilesControl.Watch watch = watch("");
        for (int i = 0; i < FileAccessLog.MOST_WAITING + 5; i++) {
            log.onAccess(access("/" + i, ""));
        }

        assertThat(watch.takeLost()).isEqualTo(5);
        assertThat(watch.takeLost()).isZero();
        assertThat(watch.drain(2)).hasSize(2);
    }

    @Test
    void watchesAreFew_andOfWholePaths() {
        assertThat(log.watch("src", () -> {})).isInstanceOfSatisfying(Outcome.Failed.class, f -> assertThat(f.reason())
                .isEqualTo(Outcome.Reason.INVALID));
        for (int i = 0; i < FileAccessLog.MOST_WATCHERS; i++) {
            FilesControl.Watch _ = watch("");
        }

        assertThat(log.watch("", () -> {})).isInstanceOfSatisfying(Outcome.Failed.class, f -> assertThat(f.reason())
                .isEqualTo(Outcome.Reason.LIMIT));
    }

    @Test
    void guestThatEnds_endsWatches() {
        FilesControl.Watch watch = watch("");
        log.onAccess(access("/last", ""));

        log.close();

        assertThat(wakes).isEqualTo(2);
        assertThat(watch.ended()).isTrue();
        assertThat(paths(watch)).containsExactly("/last");
        assertThat(log.watch("", () -> {})).isInstanceOf(Outcome.Failed.class);
    }
}
