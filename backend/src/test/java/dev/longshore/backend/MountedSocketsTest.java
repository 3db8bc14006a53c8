package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.engine.HostSocket;
import dev.longshore.engine.HostSockets;
import dev.longshore.engine.policy.BindSource;
import dev.longshore.engine.policy.BindSources.IfMissing;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class MountedSocketsTest {
    private final List<String> asked = new CopyOnWriteArrayList<>();
    private final List<AutoCloseable> open = new ArrayList<>();

    private final HostPaths paths = new HostPaths();

    @TempDir
    private Path directory;

    private Path shared() throws IOException {
        return directory.toRealPath().resolve("shared");
    }

    private OwnFiles own() throws IOException {
        Path run = directory.toRealPath().resolve("run");
        return new OwnFiles(List.of(directory.toRealPath(), run), run, run.resolve("docker.sock"));
    }

    private Optional<HostSocket> look(Path path) {
        try {
            return paths.socket(path, List.of(shared()), own());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private MountedSockets sockets(boolean agentLives) {
        MountedSockets made = new MountedSockets(
                new HostSockets(),
                (name, file) -> {
                    asked.add(name + " " + file);
                    return agentLives
                            ? CompletableFuture.completedFuture("")
                            : CompletableFuture.failedFuture(new IOException("silent"));
                },
                this::look,
                directory.resolve("mounted-sockets"));
        open.add(made);
        return made;
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable c : open) {
            c.close();
        }
    }

    private String socket(String name) throws IOException {
        Path path = directory.resolve(name);
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        open.add(server);
        server.bind(UnixDomainSocketAddress.of(path));
        return path.toString();
    }

    private static BindSource find(MountedSockets sockets, String path) throws Exception {
        return sockets.find(path, IfMissing.REFUSE).toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    @Test
    void socketOfTheHost_isInTheGuest_underANameOfItsPath() throws Exception {
        String path = socket("my app.sock");
        MountedSockets sockets = sockets(true);

        BindSource source = find(sockets, path);

        String name = MountedSockets.name(path);
        assertThat(source).isEqualTo(new BindSource.InGuest("/run/host-services/" + name));
        assertThat(name).matches("[0-9a-f]{20}\\.sock").hasSizeLessThan(32);
        assertThat(asked).containsExactly(name + " " + name);
        assertThat(find(sockets, path)).isEqualTo(source);
    }

    @Test
    void whatIsNoSocket_isUnknown() throws Exception {
        Files.writeString(directory.resolve("file"), "");
        for (String path : List.of(directory + "/file", directory + "/none", directory.toString(), "/a\nb", "/a\0b")) {
            assertThat(find(sockets(true), path)).as(path).isEqualTo(BindSource.UNKNOWN);
        }
        assertThat(asked).isEmpty();
    }

    /** Else a container that has the shared folder could have this program's control socket, or the user's session bus. */
    @Test
    void linkInASharedFolder_leadsToNoSocket() throws Exception {
        Path shared = Files.createDirectory(shared());
        String outside = socket("outside.sock");
        String inside = socket("shared/inside.sock");
        Path out = Files.createSymbolicLink(shared.resolve("out.sock"), Path.of(outside));
        Path in = Files.createSymbolicLink(directory.resolve("in.sock"), Path.of(inside));
        MountedSockets sockets = sockets(true);

        assertThat(find(sockets, out.toString())).isEqualTo(BindSource.UNKNOWN);
        assertThat(find(sockets, inside)).isNotEqualTo(BindSource.UNKNOWN);
        assertThat(find(sockets, in.toString())).isNotEqualTo(BindSource.UNKNOWN);

        Files.delete(Path.of(inside));
        Files.createSymbolicLink(Path.of(inside), Path.of(outside));
        assertThat(look(Path.of(inside))).isEmpty();
        assertThat(look(in)).isEmpty();
        Files.move(shared, directory.resolve("moved"));
        Files.createSymbolicLink(shared, directory);
        assertThat(look(shared.resolve("outside.sock"))).isPresent(); // the host's own doing
    }

    @Test
    void ownSockets_areNotLent_butForDockers() throws Exception {
        Files.createDirectory(directory.resolve("run"));
        Path control = Path.of(socket("run/control.sock"));
        Path docker = Path.of(socket("run/docker.sock"));
        Path link = Files.createSymbolicLink(directory.resolve("link.sock"), control);

        assertThat(look(control)).isEmpty();
        assertThat(look(link)).isEmpty();
        assertThat(look(docker)).isPresent();
    }

    @Test
    void socketThatIsExchangedAfterItWasFound_isTheOneThatIsConnectedTo() throws Exception {
        Path path = Path.of(socket("a.sock"));
        try (HostSocket found = look(path).orElseThrow()) {
            Files.move(path, directory.resolve("b.sock"));
            Files.createSymbolicLink(path, Path.of(socket("other.sock")));
            ServerSocketChannel a = (ServerSocketChannel) open.get(0);
            try (SocketChannel _ = SocketChannel.open(UnixDomainSocketAddress.of(found.path()))) {
                a.configureBlocking(false);
                assertThat(a.accept()).isNotNull();
            }
        }
    }

    @Test
    void agentThatDoesNotAnswer_makesItUnknown() throws Exception {
        assertThat(find(sockets(false), socket("a.sock"))).isEqualTo(BindSource.UNKNOWN);
    }

    @Test
    void nextGuest_hasThemAgain_thoughNobodyListensNow() throws Exception {
        String a = socket("a.sock");
        String b = socket("b.sock");
        MountedSockets before = sockets(true);
        find(before, a);
        find(before, b);
        find(before, a);
        asked.clear();
        Files.delete(Path.of(b));

        sockets(true).restore().toCompletableFuture().get(10, TimeUnit.SECONDS);

        assertThat(asked)
                .containsExactly(
                        MountedSockets.name(a) + " " + MountedSockets.name(a),
                        MountedSockets.name(b) + " " + MountedSockets.name(b));
    }

    @Test
    void manyPaths_theOldestIsForgotten() throws Exception {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < MountedSockets.MOST; i++) {
            lines.add("/run/" + i);
        }
        Files.write(directory.resolve("mounted-sockets"), lines);
        MountedSockets sockets = sockets(true);
        sockets.restore().toCompletableFuture().get(10, TimeUnit.SECONDS);

        String newest = socket("new.sock");
        find(sockets, newest);

        assertThat(Files.readAllLines(directory.resolve("mounted-sockets")))
                .hasSize(MountedSockets.MOST)
                .doesNotContain("/run/0")
                .startsWith("/run/1")
                .endsWith(newest);
    }
}
