package dev.longshore.fileshare.share;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.linux.Errno;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NodeTableTest {
    private static final int DESCRIPTORS = 20;

    @TempDir
    Path state;

    @TempDir
    Path files;

    private final Host host = new Host();
    private final MemorySegment name = Arena.ofAuto().allocateFrom("a-name-of-a-file-0000000");
    private Owners owners;
    private NodeTable nodes;
    private HandleTable handles;
    private Node root;

    @BeforeEach
    void make() throws IOException {
        Limits limits = new Limits(2_000_000, DESCRIPTORS, 100);
        owners = new Owners(Ownership.HOST, state);
        nodes = new NodeTable(limits, owners);
        handles = new HandleTable(nodes, limits);
        SharedFolders folders = new SharedFolders(nodes, handles, new Withheld(List.of(), nodes));
        Path real = files.toRealPath();
        folders.set(List.of(new SharedFolder(real)), List.of(), host);
        Node at = Objects.requireNonNull(nodes.find(NodeTable.ROOT_ID));
        for (Path p : real) {
            at = Objects.requireNonNull(
                    folders.lookup((VirtualDirectory) at, p.toString().getBytes(UTF_8), host));
        }
        root = at;
    }

    @AfterEach
    void end() throws IOException {
        handles.closeAll(host);
        nodes.clear(host);
        assertThat(nodes.openCount()).isZero();
        owners.close();
        host.posix.close();
    }

    private Stat stat(long ino, long birth) {
        Stat s = host.stat;
        s.memory().fill((byte) 0);
        s.memory().set(ValueLayout.JAVA_INT, 0, Stat.MASK);
        s.memory().set(ValueLayout.JAVA_LONG, 32, ino);
        s.memory().set(ValueLayout.JAVA_LONG, 80, birth);
        s.mode(Stat.S_IFREG | 0x1A4);
        return s;
    }

    private Node enter(long ino, long birth) {
        return Objects.requireNonNull(nodes.enter(stat(ino, birth), root, name, 24));
    }

    @Test
    void node_takesLittleMemory() {
        int n = 300_000;
        long before = used();
        for (int i = 0; i < n; i++) {
            enter(i, i);
        }
        assertThat((used() - before) / n).isLessThan(300);
        assertThat(nodes.size()).isGreaterThan(n);
    }

    private static long used() {
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 3; i++) {
            System.gc();
            least = Math.min(
                    least,
                    Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory());
        }
        return least;
    }

    @Test
    void enter_ofTheSameFile_isTheSameNode_andOfAnotherAnother() {
        Node a = enter(5, 1);
        assertThat(enter(5, 1)).isSameAs(a);
        Node b = enter(5, 2); // the number was given again
        assertThat(b).isNotSameAs(a);
        assertThat(nodes.find(a.id)).isSameAs(a);
        assertThat(nodes.find(stat(5, 2))).isSameAs(b);
        assertThat(nodes.find(stat(5, 1))).isNull();
        nodes.forget(a.id, 2, host);
        nodes.forget(b.id, 1, host);
        assertThat(nodes.find(a.id)).isNull();
        assertThat(nodes.find(stat(5, 2))).isNull();
    }

    @Test
    void forget_moreThanKnown_isAll() {
        Node a = enter(5, 1);
        nodes.forget(a.id, -1, host);
        assertThat(nodes.find(a.id)).isNull();
        nodes.forget(NodeTable.ROOT_ID, 100, host);
        nodes.forget(root.id, 100, host);
        assertThat(nodes.find(root.id)).isSameAs(root);
    }

    @Test
    void clear_whileARequestUsesADescriptor_leavesItOpen() throws IOException {
        Files.writeString(files.resolve("f"), "x");
        Node f = look(files.resolve("f"));
        int fd = nodes.acquire(f, host);
        nodes.clear(host);
        assertThat(host.posix.statx(fd, host.stat)).isZero();
        assertThat(f.is(host.stat)).isTrue();
        assertThat(nodes.find(f.id)).isNull();
        nodes.release(f, host);
        assertThat(host.posix.statx(fd, host.stat)).isEqualTo(-Errno.EBADF);
        assertThat(nodes.openCount()).isZero();
    }

    /** Against a model of what the guest knows, with real files; at all times within the budget, and each descriptor the right file's. */
    @Test
    void randomUse_keepsDescriptorsRight() throws IOException {
        long seed = 20_261_127;
        Random random = new Random(seed);
        List<Path> paths = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            paths.add(Files.writeString(files.resolve("f" + i), "" + i));
        }
        List<Node> known = new ArrayList<>();
        List<Node> pinned = new ArrayList<>();
        List<Handle> open = new ArrayList<>();
        for (int step = 0; step < 20_000; step++) {
            switch (random.nextInt(6)) {
                case 0 -> known.add(look(paths.get(random.nextInt(100))));
                case 1 -> {
                    if (!known.isEmpty() && known.size() > 30) {
                        nodes.forget(known.remove(random.nextInt(known.size())).id, 1, host);
                    }
                }
                case 2 -> {
                    if (!known.isEmpty() && pinned.size() < 10) {
                        Node n = known.get(random.nextInt(known.size()));
                        int fd = nodes.acquire(n, host);
                        assertThat(fd).as("seed %d step %d", seed, step).isNotNegative();
                        assertThat(host.posix.statx(fd, host.stat)).isZero();
                        assertThat(n.is(host.stat)).isTrue();
                        pinned.add(n);
                    }
                }
                case 3 -> {
                    if (!pinned.isEmpty()) {
                        nodes.release(pinned.remove(random.nextInt(pinned.size())), host);
                    }
                }
                case 4 -> {
                    if (!known.isEmpty()) {
                        Node n = known.get(random.nextInt(known.size()));
                        int fd = nodes.acquire(n, host);
                        int file = host.posix.reopen(fd, Open.O_RDONLY | Open.O_CLOEXEC);
                        nodes.release(n, host);
                        Handle h = handles.open(n, file, false, false);
                        if (h == null) {
                            assertThat(handles.size()).isEqualTo(100);
                            host.posix.close(file);
                        } else {
                            open.add(h);
                        }
                    }
                }
                default -> {
                    if (!open.isEmpty()) {
                        assertThat(handles.close(open.remove(random.nextInt(open.size())).id, host))
                                .isTrue();
                    }
                }
            }
            assertThat(nodes.openCount()).isLessThanOrEqualTo(DESCRIPTORS);
        }
        pinned.forEach(n -> nodes.release(n, host));
    }

    /** A guest that forgets directories but not what is in them: what is kept for it must count, or it could have any number kept. */
    @Test
    void directoriesForgottenBeforeWhatIsInThem_count_untilThatIsForgotten() {
        int before = nodes.size();
        List<Node> chain = new ArrayList<>();
        Node parent = root;
        for (int i = 0; i < 1000; i++) {
            Stat s = stat(i + 1, 1);
            s.mode(Stat.S_IFDIR | 0x1ED);
            parent = Objects.requireNonNull(nodes.enter(s, parent, name, 24));
            chain.add(parent);
        }
        for (Node n : chain.subList(0, 999)) {
            nodes.forget(n.id, 1, host);
        }
        assertThat(nodes.size()).isEqualTo(before + 1000);
        assertThat(enterDirectory(1, root)).isSameAs(chain.getFirst()); // none is remembered twice
        nodes.forget(chain.getFirst().id, 1, host);
        nodes.forget(chain.getLast().id, 1, host);
        assertThat(nodes.size()).isEqualTo(before);

        Node a = enterDirectory(1, root);
        Node b = enterDirectory(2, root);
        Node f = enterDirectory(3, a);
        nodes.forget(a.id, 1, host);
        nodes.moved(f, b, name, 24);
        assertThat(nodes.find(a.id)).isNull();
        nodes.forget(b.id, 1, host);
        nodes.forget(f.id, 1, host);
        assertThat(nodes.size()).isEqualTo(before);
    }

    private Node enterDirectory(long ino, Node parent) {
        Stat s = stat(ino, 1);
        s.mode(Stat.S_IFDIR | 0x1ED);
        return Objects.requireNonNull(nodes.enter(s, parent, name, 24));
    }

    private Node look(Path file) {
        byte[] text = file.getFileName().toString().getBytes(UTF_8);
        int fd = nodes.acquire(root, host);
        MemorySegment path = host.posix.name(text);
        assertThat(host.posix.statx(fd, path, host.stat)).isZero();
        nodes.release(root, host);
        return Objects.requireNonNull(nodes.enter(host.stat, root, path, text.length));
    }

    @Test
    void parentsThatAreEachOthersChildren_areStale() throws IOException {
        Files.createDirectories(files.resolve("a/b"));
        Node a = look(files.resolve("a"));
        Node b = look(files.resolve("a")); // the same, twice
        assertThat(b).isSameAs(a);
        int fd = nodes.acquire(a, host);
        MemorySegment path = host.posix.name("b".getBytes(UTF_8));
        host.posix.statx(fd, path, host.stat);
        nodes.release(a, host);
        Node child = Objects.requireNonNull(nodes.enter(host.stat, a, path, 1));
        for (int i = 0; i < 3 * DESCRIPTORS; i++) { // close them
            Files.writeString(files.resolve("x" + i), "");
            Node x = look(files.resolve("x" + i));
            nodes.acquire(x, host);
            nodes.release(x, host);
        }
        a.parent = child; // as two renames on the host could make it look
        assertThat(nodes.acquire(child, host)).isEqualTo(-Errno.ESTALE);
    }
}
