package dev.longshore.fileshare.devfuse;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.fileshare.fuse.CacheTimes;
import dev.longshore.fileshare.fuse.FuseServer;
import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.os.ThreadCalls;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntSupplier;
import java.util.stream.Stream;

/**
 * A folder mounted by {@code /dev/fuse}, used by way of the kernel: {@code DevFuseChecks DIRECTORY HOST|OVERRIDE}. Ends with 0 if all
 * is as it should be. Its mounts are its own. The one who serves and the one who asks are two processes: a JVM whose code
 * waits for a page of a mapped file is not to be the one that brings it.
 */
public final class DevFuseChecks {
    private static final int DESCRIPTORS = 200;
    private static final int OTHER_DESCRIPTORS = 150;

    private final Path host;
    private final Path mounted;

    private DevFuseChecks(Path host, Path mounted) {
        this.host = host;
        this.mounted = mounted;
    }

    public static void main(String[] args) throws Exception {
        Path directory = Path.of(args[0]);
        Path folder = directory.resolve("share");
        Path target = directory.resolve("mnt");
        int end;
        if (args.length > 2) {
            end = ask(folder, target);
        } else {
            Files.createDirectory(folder);
            Files.createDirectory(target);
            end = serve(args, folder, target, directory.resolve("state"));
        }
        System.exit(end);
    }

    private static int serve(String[] args, Path folder, Path target, Path state) throws Exception {
        try (FuseServer server = new FuseServer(
                        List.of(new SharedFolder(folder)),
                        Ownership.valueOf(args[1]),
                        new Limits(1_000_000, DESCRIPTORS, 500),
                        CacheTimes.NONE,
                        state);
                DevFuseMount _ = DevFuseMount.of(target, server, 3, server::threadEnds)) {
            List<String> command = new ArrayList<>();
            ProcessHandle.current().info().command().ifPresent(command::add);
            command.addAll(List.of("-ea", "-cp", System.getProperty("java.class.path")));
            command.addAll(List.of(DevFuseChecks.class.getName(), args[0], args[1], "ask"));
            return new ProcessBuilder(command).inheritIO().start().waitFor();
        }
    }

    private static int ask(Path folder, Path target) {
        DevFuseChecks checks =
                new DevFuseChecks(folder, target.resolve(Path.of("/").relativize(folder)));
        try {
            checks.names();
            checks.permissions();
            checks.content();
            checks.appenders();
            checks.unlinkedFiles();
            checks.manyFiles();
            checks.renamesOnTheHost();
            checks.eventsOfTheHost();
            return 0;
        } catch (Throwable t) {
            t.printStackTrace();
            return 1;
        }
    }

    private void names() throws IOException {
        Path d = Files.createDirectory(mounted.resolve("names"));
        Path a = Files.writeString(d.resolve("a"), "A", CREATE_NEW);
        assertThatThrownBy(() -> Files.writeString(a, "A", CREATE_NEW)).isInstanceOf(FileAlreadyExistsException.class);
        assertThat(Files.readString(host.resolve("names/a"))).isEqualTo("A");
        Path b = Files.createLink(d.resolve("b"), a);
        assertThat(Files.getAttribute(a, "unix:nlink")).isEqualTo(2);
        assertThat(Files.isSameFile(a, b)).isTrue();
        Path l = Files.createSymbolicLink(d.resolve("l"), Path.of("b"));
        assertThat(Files.readString(l)).isEqualTo("A");
        assertThat(Files.readSymbolicLink(l)).isEqualTo(Path.of("b"));
        Files.move(a, d.resolve("c"), StandardCopyOption.ATOMIC_MOVE);
        assertThatThrownBy(() -> Files.readString(a)).isInstanceOf(NoSuchFileException.class);
        Path sub = Files.createDirectories(d.resolve("x/y/z"));
        Files.writeString(sub.resolve("f"), "deep");
        Files.move(d.resolve("x"), d.resolve("w"));
        assertThat(Files.readString(d.resolve("w/y/z/f"))).isEqualTo("deep");
        assertThatThrownBy(() -> Files.delete(d.resolve("w"))).isInstanceOf(DirectoryNotEmptyException.class);
        assertThatThrownBy(() -> Files.createDirectory(d.resolve("n".repeat(256))))
                .isInstanceOf(FileSystemException.class)
                .hasMessageContaining("too long");
        assertThat(Files.getAttribute(d, "unix:ino")).isEqualTo(Files.getAttribute(host.resolve("names"), "unix:ino"));
        assertThatThrownBy(() -> Files.createDirectory(mounted.resolveSibling("other")))
                .isInstanceOf(FileSystemException.class);
        delete(d);
        assertThat(host.resolve("names")).doesNotExist();
    }

    private void permissions() throws IOException {
        Path f = Files.writeString(mounted.resolve("perm"), "x");
        Files.setPosixFilePermissions(f, PosixFilePermissions.fromString("---------"));
        assertThat(Files.getPosixFilePermissions(f)).isEmpty();
        Files.setAttribute(f, "unix:mode", 0xDED); // 06755
        assertThat((int) Files.getAttribute(f, "unix:mode") & 0xFFF).isEqualTo(0xDED);
        Files.setAttribute(f, "unix:uid", 4001);
        Files.setAttribute(f, "unix:gid", 4002);
        assertThat(Files.getAttribute(f, "unix:uid")).isEqualTo(4001);
        assertThat((int) Files.getAttribute(f, "unix:mode") & 0xFFF).isEqualTo(0x1ED);
        FileTime then = FileTime.from(Instant.ofEpochSecond(1_000_000_000L, 123_456_789));
        Files.setLastModifiedTime(f, then);
        assertThat(Files.getLastModifiedTime(f)).isEqualTo(then);
        Files.setAttribute(f, "user:colour", "blue".getBytes(UTF_8));
        assertThat(Files.getAttribute(f, "user:colour")).isEqualTo("blue".getBytes(UTF_8));
        Files.delete(f);
    }

    private void content() throws IOException {
        byte[] data = new byte[3_000_000];
        new Random(11).nextBytes(data);
        Path f = mounted.resolve("content");
        Files.write(f, data);
        assertThat(Files.readAllBytes(host.resolve("content"))).isEqualTo(data);
        assertThat(Files.readAllBytes(f)).isEqualTo(data);
        try (FileChannel c = FileChannel.open(f, READ, WRITE)) {
            MappedByteBuffer map = c.map(FileChannel.MapMode.READ_WRITE, 4000, 200_000);
            for (int i = 0; i < 200_000; i++) {
                data[4000 + i] ^= 0x55;
                map.put(i, data[4000 + i]);
            }
            map.force();
            c.truncate(2_500_000);
            c.write(ByteBuffer.wrap(new byte[] {7}), 4_000_000);
            c.force(true);
        }
        byte[] expected = new byte[4_000_001];
        System.arraycopy(data, 0, expected, 0, 2_500_000);
        expected[4_000_000] = 7;
        assertThat(Files.readAllBytes(host.resolve("content"))).isEqualTo(expected);
        Files.copy(f, mounted.resolve("copy"));
        assertThat(Files.readAllBytes(mounted.resolve("copy"))).isEqualTo(expected);
        Files.write(
                host.resolve("content"),
                new byte[] {1, 2, 3}); // the host changes it, and the next to open it sees that
        assertThat(Files.readAllBytes(f)).containsExactly(1, 2, 3);
        Files.delete(f);
        Files.delete(mounted.resolve("copy"));
    }

    private void appenders() throws Exception {
        Path log = mounted.resolve("log");
        List<Future<?>> all = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            for (int t = 0; t < 4; t++) {
                byte[] line = ("line of " + t + "\n").getBytes(UTF_8);
                all.add(threads.submit(() -> {
                    try (FileChannel c = FileChannel.open(log, CREATE, WRITE, APPEND)) {
                        for (int i = 0; i < 250; i++) {
                            c.write(ByteBuffer.wrap(line));
                        }
                    }
                    return null;
                }));
            }
            for (Future<?> f : all) {
                f.get();
            }
        }
        List<String> lines = Files.readAllLines(host.resolve("log"));
        assertThat(lines).hasSize(1000);
        assertThat(lines.stream().distinct()).hasSize(4);
        Files.delete(log);
    }

    private void unlinkedFiles() throws IOException {
        Path f = Files.writeString(mounted.resolve("gone"), "still here");
        try (FileChannel c = FileChannel.open(f, READ, WRITE)) {
            Files.delete(f);
            ByteBuffer b = ByteBuffer.allocate(100);
            c.read(b, 0);
            assertThat(new String(b.array(), 0, b.position(), UTF_8)).isEqualTo("still here");
            c.write(ByteBuffer.wrap(new byte[10]), 100);
            assertThat(c.size()).isEqualTo(110);
        }
    }

    /** Five times as many as there may be descriptors. */
    private void manyFiles() throws IOException {
        Path d = Files.createDirectory(mounted.resolve("many"));
        for (int i = 0; i < 20; i++) {
            Path sub = Files.createDirectory(d.resolve("d" + i));
            for (int j = 0; j < 50; j++) {
                Files.writeString(sub.resolve("f" + j), i + "/" + j);
            }
        }
        try (Stream<Path> s = Files.walk(d)) {
            assertThat(s).hasSize(1021);
        }
        for (int j = 0; j < 50; j++) {
            for (int i = 0; i < 20; i++) {
                assertThat(Files.readString(d.resolve("d" + i).resolve("f" + j)))
                        .isEqualTo(i + "/" + j);
            }
        }
        Path descriptors = Path.of(
                "/proc/" + ProcessHandle.current().parent().orElseThrow().pid() + "/fd");
        try (Stream<Path> s = Files.list(descriptors)) {
            assertThat(s.count()).isLessThan(DESCRIPTORS + OTHER_DESCRIPTORS);
        }
        delete(d);
    }

    /** Somebody on the host renames directories all the time: what is read is right, or is not found. */
    private void renamesOnTheHost() throws Exception {
        Path d = Files.createDirectory(host.resolve("storm"));
        for (int i = 0; i < 10; i++) {
            Path sub = Files.createDirectory(d.resolve("d" + i));
            Files.writeString(sub.resolve("f"), "of " + i);
            Files.writeString(sub.resolve("id"), "" + i);
        }
        AtomicBoolean done = new AtomicBoolean();
        Thread storm = Thread.ofPlatform().start(() -> {
            Random random = new Random(5);
            while (!done.get()) {
                Path from = d.resolve("d" + random.nextInt(10));
                Path to = d.resolve("e" + random.nextInt(10));
                try {
                    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
                    Files.move(to, from, StandardCopyOption.ATOMIC_MOVE);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        });
        int read = 0;
        try {
            for (int i = 0; i < 3000; i++) {
                Path f = mounted.resolve("storm").resolve("d" + i % 10).resolve("f");
                try {
                    assertThat(Files.readString(f)).isEqualTo("of " + i % 10);
                    read++;
                } catch (FileSystemException e) {
                    assertThat(e)
                            .satisfiesAnyOf(
                                    x -> assertThat(x).isInstanceOf(NoSuchFileException.class),
                                    x -> assertThat(x).hasMessageContaining("Stale"));
                }
            }
        } finally {
            done.set(true);
            storm.join();
        }
        assertThat(read).isPositive();
        delete(mounted.resolve("storm"));
    }

    private static void delete(Path directory) throws IOException {
        List<Path> all;
        try (Stream<Path> s = Files.walk(directory)) {
            all = s.sorted((a, b) -> b.compareTo(a)).toList();
        }
        for (Path p : all) {
            Files.delete(p);
        }
    }

    /** What the guest's agent does for those who watch (guest/events.c). */
    private void eventsOfTheHost() throws Exception {
        Path folder = Files.createDirectory(host.resolve("events"));
        Path d = mounted.resolve("events");
        Path known = Files.writeString(folder.resolve("known"), "before");
        assertThat(Files.readString(d.resolve("known"))).isEqualTo("before");
        Posix posix = new Posix();
        try (WatchService watch = FileSystems.getDefault().newWatchService()) {
            WatchKey key = d.register(
                    watch,
                    StandardWatchEventKinds.ENTRY_CREATE,
                    StandardWatchEventKinds.ENTRY_DELETE,
                    StandardWatchEventKinds.ENTRY_MODIFY);
            Files.writeString(folder.resolve("new"), "new");
            as(0, () -> posix.mknodat(Open.AT_FDCWD, path(posix, d.resolve("new")), Stat.S_IFREG, 0));
            assertThat(heard(watch, key, 1)).containsExactly("ENTRY_CREATE new");
            assertThat(Files.readString(d.resolve("new"))).isEqualTo("new");

            Files.writeString(known, "after it");
            as(5, () -> {
                int fd = posix.openat(Open.AT_FDCWD, path(posix, d.resolve("known")), Open.O_PATH, 0);
                int r = posix.utimens(fd, 0, Posix.UTIME_OMIT, 0, Posix.UTIME_NOW);
                posix.close(fd);
                return r;
            });
            assertThat(heard(watch, key, 1)).containsExactly("ENTRY_MODIFY known");
            assertThat(Files.readString(d.resolve("known"))).isEqualTo("after it");

            Files.move(folder.resolve("new"), known, StandardCopyOption.REPLACE_EXISTING);
            as(
                    3,
                    () -> posix.renameat2(
                            Open.AT_FDCWD,
                            path(posix, d.resolve("new")),
                            Open.AT_FDCWD,
                            posix.otherName(d.resolve("known").toString().getBytes(UTF_8)),
                            0));
            assertThat(heard(watch, key, 2)).containsExactly("ENTRY_DELETE new", "ENTRY_CREATE known");
            assertThat(Files.readString(d.resolve("known"))).isEqualTo("new");

            Files.move(Files.writeString(folder.resolve("never seen"), "x"), folder.resolve("seen"));
            as(
                    3,
                    () -> posix.renameat2(
                            Open.AT_FDCWD,
                            path(posix, d.resolve("never seen")),
                            Open.AT_FDCWD,
                            posix.otherName(d.resolve("seen").toString().getBytes(UTF_8)),
                            0));
            assertThat(heard(watch, key, 2)).containsExactly("ENTRY_DELETE never seen", "ENTRY_CREATE seen");
            assertThat(Files.readString(d.resolve("seen"))).isEqualTo("x");

            Files.delete(known);
            as(1, () -> posix.unlinkat(Open.AT_FDCWD, path(posix, d.resolve("known")), 0));
            Files.createDirectory(folder.resolve("sub"));
            as(0, () -> posix.mkdirat(Open.AT_FDCWD, path(posix, d.resolve("sub")), 0x1C0));
            Files.delete(folder.resolve("sub"));
            as(2, () -> posix.unlinkat(Open.AT_FDCWD, path(posix, d.resolve("sub")), Open.AT_REMOVEDIR));
            as(1, () -> posix.unlinkat(Open.AT_FDCWD, path(posix, d.resolve("unheard of")), 0));
            assertThat(heard(watch, key, 4))
                    .containsExactly(
                            "ENTRY_DELETE known", "ENTRY_CREATE sub", "ENTRY_DELETE sub", "ENTRY_DELETE unheard of");
        }
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left).containsExactly(folder.resolve("seen"));
        }
    }

    private static MemorySegment path(Posix posix, Path path) {
        return posix.name(path.toString().getBytes(UTF_8));
    }

    private static void as(int event, IntSupplier call) {
        ThreadCalls thread = new ThreadCalls();
        thread.setFsGid(0xFFFF_F000 + event);
        int r = call.getAsInt();
        thread.setFsGid(0);
        assertThat(r).isZero();
    }

    /** So many events: they need not come at once. */
    private static List<String> heard(WatchService watch, WatchKey key, int count) throws InterruptedException {
        List<String> all = new ArrayList<>();
        while (all.size() < count) {
            WatchKey ready = watch.poll(20, TimeUnit.SECONDS);
            assertThat(ready).as("after %s", all).isSameAs(key);
            key.pollEvents().forEach(e -> all.add(e.kind() + " " + e.context()));
            key.reset();
        }
        return all;
    }
}
