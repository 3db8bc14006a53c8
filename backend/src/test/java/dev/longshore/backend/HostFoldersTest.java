package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.engine.policy.BindSource;
import dev.longshore.engine.policy.BindSources.IfMissing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostFoldersTest {
    @TempDir
    private Path temp;

    private final List<List<Path>> told = Collections.synchronizedList(new ArrayList<>());
    private Path home = Path.of("unset");
    private Path outside = Path.of("unset");
    private HostFolders folders =
            new HostFolders(told::add, new OwnFiles(List.of(), Path.of("/none"), Path.of("/none")));

    @BeforeEach
    void share() throws IOException {
        home = Files.createDirectory(temp.toRealPath().resolve("home"));
        outside = Files.createDirectory(temp.toRealPath().resolve("outside"));
        folders.close();
        Path state = home.resolve(".state");
        folders = new HostFolders(told::add, new OwnFiles(List.of(state), state, state.resolve("docker.sock")));
        folders.apply(List.of(home));
    }

    @AfterEach
    void close() {
        folders.close();
    }

    private BindSource find(Path path, IfMissing ifMissing) throws Exception {
        return folders.find(path.toString(), ifMissing).toCompletableFuture().get(30, TimeUnit.SECONDS);
    }

    private BindSource find(Path path) throws Exception {
        return find(path, IfMissing.REFUSE);
    }

    private static BindSource inGuest(Path path) {
        return new BindSource.InGuest("/host" + path);
    }

    private static String message(BindSource source) {
        return source instanceof BindSource.Unusable u ? u.status() + " " + u.message() : source.toString();
    }

    @Test
    void folderAndFile_areInTheGuest() throws Exception {
        Path file = Files.createFile(home.resolve("file"));

        assertThat(find(home)).isEqualTo(inGuest(home));
        assertThat(find(file)).isEqualTo(inGuest(file));
        assertThat(find(outside)).isEqualTo(BindSource.UNKNOWN);
        assertThat(find(temp.toRealPath())).isEqualTo(BindSource.UNKNOWN);
        assertThat(find(home.resolveSibling("homestead"))).isEqualTo(BindSource.UNKNOWN);
        assertThat(told).containsExactly(List.of(home));
    }

    @Test
    void link_countsForWhatItLeadsTo() throws Exception {
        Path inside = Files.createDirectory(home.resolve("inside"));
        Path link = Files.createSymbolicLink(home.resolve("link"), inside);
        Path out = Files.createSymbolicLink(home.resolve("out"), outside);
        Path in = Files.createSymbolicLink(outside.resolve("in"), inside);

        assertThat(find(link)).isEqualTo(inGuest(inside));
        assertThat(find(in)).isEqualTo(inGuest(inside));
        assertThat(find(out)).isEqualTo(new BindSource.Denied(outside.toString()));
        assertThat(find(out.resolve("new"), IfMissing.CREATE))
                .isEqualTo(new BindSource.Denied(outside.resolve("new").toString()));
        assertThat(outside.resolve("new")).doesNotExist();
    }

    @Test
    void sharedFolderThatIsALink_isSharedByWhatItLeadsTo() throws Exception {
        Path link = Files.createSymbolicLink(temp.toRealPath().resolve("link"), outside);
        folders.apply(List.of(link));

        assertThat(find(link)).isEqualTo(inGuest(outside));
        assertThat(find(outside)).isEqualTo(inGuest(outside));
        assertThat(told.getLast()).containsExactly(outside);

        Files.delete(link);
        Files.createSymbolicLink(link, home);
        assertThat(find(home)).isEqualTo(inGuest(home));
        assertThat(find(outside)).isEqualTo(BindSource.UNKNOWN);
        assertThat(told.getLast()).containsExactly(home);
    }

    /** A container has the home, and makes links in it in the hope that they are followed when folders are looked at again. */
    @Test
    void linkInASharedFolder_sharesNothingMore() throws Exception {
        Path data = Files.createSymbolicLink(temp.toRealPath().resolve("data"), home.resolve("data"));
        Files.createDirectory(home.resolve("data"));
        folders.apply(List.of(home, home.resolve("sub"), data));
        assertThat(find(data)).isEqualTo(inGuest(home.resolve("data")));

        Files.createSymbolicLink(home.resolve("sub"), outside);
        Files.move(home.resolve("data"), home.resolve("old"));
        Files.createSymbolicLink(home.resolve("data"), outside);

        assertThat(find(home)).isEqualTo(inGuest(home));
        assertThat(find(outside)).isEqualTo(BindSource.UNKNOWN);
        assertThat(find(data)).isEqualTo(new BindSource.Denied(outside.toString()));
        assertThat(told.getLast()).doesNotContain(outside).contains(home);
    }

    @Test
    void ownFiles_areNeverShared() throws Exception {
        Path state = Files.createDirectory(home.resolve(".state"));
        Path settings = Files.createFile(state.resolve("settings.json"));
        Path link = Files.createSymbolicLink(home.resolve("link"), state);

        for (Path path : List.of(state, settings, link, link.resolve("settings.json"), state.resolve("none"))) {
            assertThat(find(path, IfMissing.CREATE))
                    .as("%s", path)
                    .isInstanceOfSatisfying(BindSource.Withheld.class, w -> assertThat(w.reason())
                            .startsWith(state.toString())
                            .contains("never shared"));
        }
        assertThat(state.resolve("none")).doesNotExist();
        assertThat(find(home)).isEqualTo(inGuest(home));

        folders.apply(List.of(state));
        assertThat(find(home)).isEqualTo(BindSource.UNKNOWN);
        assertThat(folders.shared()).isEmpty();
    }

    @Test
    void missingSource_isMadeRefusedOrLeft() throws Exception {
        Path missing = home.resolve("a/b");

        assertThat(message(find(missing, IfMissing.REFUSE)))
                .isEqualTo("400 invalid mount config for type \"bind\": bind source path does not exist: " + missing);
        assertThat(find(missing, IfMissing.LEAVE)).isEqualTo(inGuest(missing));
        assertThat(missing).doesNotExist();

        assertThat(find(missing, IfMissing.CREATE)).isEqualTo(inGuest(missing));
        assertThat(missing).isDirectory();
        assertThat(find(outside.resolve("x"), IfMissing.CREATE)).isEqualTo(BindSource.UNKNOWN);
        assertThat(outside.resolve("x")).doesNotExist();
    }

    @Test
    void missingSource_thatCannotBeMade_isSaidInDockersWords() throws Exception {
        Path file = Files.createFile(home.resolve("file"));
        Path dangling = Files.createSymbolicLink(home.resolve("dangling"), home.resolve("nothing"));

        assertThat(message(find(file.resolve("x"), IfMissing.CREATE)))
                .startsWith("500 error while creating mount source path '" + file.resolve("x") + "': mkdir ");
        assertThat(message(find(dangling, IfMissing.CREATE)))
                .isEqualTo("500 error while creating mount source path '" + dangling + "': mkdir " + dangling
                        + ": file exists");
    }

    @Test
    void colonBehindALink_cannotBeNamedByV() throws Exception {
        Path odd = Files.createDirectory(home.resolve("a:b"));
        Path link = Files.createSymbolicLink(home.resolve("plain"), odd);

        assertThat(message(find(link, IfMissing.CREATE))).startsWith("400 ");
        assertThat(find(link, IfMissing.REFUSE)).isEqualTo(inGuest(odd));
    }

    @Test
    void wholeFileSystem_isNotShared() throws Exception {
        folders.apply(List.of(Path.of("/"), home));

        assertThat(find(outside)).isEqualTo(BindSource.UNKNOWN);
        assertThat(find(home)).isEqualTo(inGuest(home));
    }

    @Test
    void advice_namesTheFoldersAndTheSetting() {
        assertThat(folders.advice()).contains(home.toString()).contains("filesharingDirectories");
        folders.apply(List.of());
        assertThat(folders.advice()).startsWith("No folder of the host is shared.");
    }
}
