package dev.longshore.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The system calls against the real kernel: results, errno, and descriptors that travel. */
class LinuxTest {
    private static final int ENOENT = 2;
    private static final int EBADF = 9;
    private static final int EADDRINUSE = 98;
    private static final int ECONNREFUSED = 111;

    @TempDir
    Path dir;

    private final Linux linux = new Linux();
    private final ReceivedFds fds = new ReceivedFds(linux);
    private final MemorySegment bytes = Arena.ofAuto().allocate(1024);
    private final int[] pair = {-1, -1};

    @BeforeEach
    void connect() {
        assertThat(linux.unixSocketPair(pair)).isZero();
    }

    @AfterEach
    void release() {
        fds.closeAll();
        linux.close(pair[0]);
        linux.close(pair[1]);
    }

    private static long openDescriptors() throws Exception {
        try (Stream<Path> list = Files.list(Path.of("/proc/self/fd"))) {
            return list.count();
        }
    }

    private static String linkOf(int fd) throws Exception {
        return Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd)).toString();
    }

    @Test
    void bytesAndDescriptors_travelTogether() throws Exception {
        int memory = linux.memfd("longshore-os-test", 4096);
        int event = linux.eventfd();
        bytes.setString(0, "hello");

        assertThat(linux.sendmsg(pair[0], bytes, 1, 4, new int[] {memory, event}, 2))
                .isEqualTo(4);
        bytes.fill((byte) 0);
        assertThat(linux.recvmsg(pair[1], bytes, 10, 100, fds)).isEqualTo(4);

        assertThat(bytes.getString(10)).isEqualTo("ello");
        assertThat(fds.count()).isEqualTo(2);
        assertThat(fds.truncated()).isFalse();
        int received = fds.take(0);
        assertThat(received).isNotEqualTo(memory);
        assertThat(linkOf(received)).contains("longshore-os-test");
        assertThat(linux.regularFileBytes(received)).isEqualTo(4096);
        assertThat(linkOf(fds.peek(1))).contains("eventfd");
        assertThat(fds.take(0)).as("taken before").isEqualTo(-1);
        assertThat(fds.take(2)).as("never there").isEqualTo(-1);
        linux.close(received);
        linux.close(memory);
        linux.close(event);
    }

    @Test
    void eightDescriptors_fit_nineAreTruncated() throws Exception {
        int event = linux.eventfd();
        long before = openDescriptors();
        int[] nine = {event, event, event, event, event, event, event, event, event};
        linux.sendmsg(pair[0], bytes, 0, 1, nine, 8);
        linux.recvmsg(pair[1], bytes, 0, 10, fds);
        assertThat(fds.count()).isEqualTo(8);
        assertThat(fds.truncated()).isFalse();
        fds.closeAll();
        assertThat(fds.count()).isZero();

        List<Integer> held = new ArrayList<>();
        linux.sendmsg(pair[0], bytes, 0, 1, nine, 5);
        linux.sendmsg(pair[0], bytes, 0, 1, nine, 5);
        while (linux.recvmsg(pair[1], bytes, 0, 1, fds) > 0) {
            held.add(fds.count());
        }
        assertThat(held).containsExactly(5, 8);
        assertThat(fds.truncated()).isTrue();
        fds.closeAll();
        assertThat(fds.truncated()).isFalse();
        assertThat(openDescriptors()).isEqualTo(before);
        linux.close(event);
    }

    @Test
    void nothingThere_isEagain_closedIsZero() {
        assertThat(linux.recvmsg(pair[1], bytes, 0, 10, fds)).isEqualTo(-Linux.EAGAIN);
        linux.close(pair[0]);
        pair[0] = -1;
        assertThat(linux.recvmsg(pair[1], bytes, 0, 10, fds)).isZero();
        assertThat(linux.sendmsg(pair[1], bytes, 0, 10, new int[0], 0))
                .as("EPIPE, and no signal")
                .isEqualTo(-32);
    }

    @Test
    void badDescriptor_isEbadf() {
        assertThat(linux.close(-1)).isEqualTo(-EBADF);
        assertThat(linux.readEight(-1)).isEqualTo(-EBADF);
        assertThat(linux.writeOne(-1)).isFalse();
        assertThat(linux.setNonBlocking(-1)).isEqualTo(-EBADF);
        assertThat(linux.regularFileBytes(-1)).isEqualTo(-EBADF);
        assertThat(linux.mmap(-1, 4096)).isEqualTo(-EBADF);
    }

    @Test
    void eventfd_countsAndNeverBlocks() {
        int event = linux.eventfd();
        assertThat(linux.readEight(event)).isEqualTo(-Linux.EAGAIN);
        assertThat(linux.writeOne(event)).isTrue();
        assertThat(linux.writeOne(event)).isTrue();
        assertThat(linux.readEight(event)).isEqualTo(8);
        assertThat(linux.readEight(event)).isEqualTo(-Linux.EAGAIN);
        linux.close(event);
    }

    /** UML's call descriptor is a stream socket: when nobody reads, it fills up. */
    @Test
    void writeOne_toAFullSocket_isFalse_toAClosedOneToo() {
        int written = 0;
        while (linux.writeOne(pair[0])) {
            written++;
        }
        assertThat(written).isGreaterThan(10);
        linux.close(pair[1]);
        pair[1] = -1;
        assertThat(linux.writeOne(pair[0])).isFalse();
    }

    @Test
    void listenConnectAccept_overAPath() {
        String path = dir.resolve("s").toString();
        int listener = linux.unixSocket();
        assertThat(linux.accept(listener)).as("not listening").isNegative();
        assertThat(linux.bind(listener, path)).isZero();
        int client = linux.unixSocket();
        assertThat(linux.connect(client, path)).isEqualTo(-ECONNREFUSED);
        assertThat(linux.listen(listener, 1)).isZero();
        assertThat(linux.accept(listener)).isEqualTo(-Linux.EAGAIN);
        assertThat(linux.connect(client, path)).isZero();
        int server = linux.accept(listener);
        assertThat(server).isPositive();
        bytes.set(ValueLayout.JAVA_INT, 0, 42);
        assertThat(linux.sendmsg(client, bytes, 0, 4, new int[0], 0)).isEqualTo(4);
        assertThat(linux.recvmsg(server, bytes, 0, 10, fds)).isEqualTo(4);

        int other = linux.unixSocket();
        assertThat(linux.bind(other, path)).isEqualTo(-EADDRINUSE);
        assertThat(linux.connect(other, dir.resolve("none").toString())).isEqualTo(-ENOENT);
        for (int fd : new int[] {listener, client, server, other}) {
            linux.close(fd);
        }
    }

    @Test
    void socketPathTooLong_isOurBug() {
        int fd = linux.unixSocket();
        assertThatThrownBy(() -> linux.bind(fd, "x".repeat(108))).isInstanceOf(IllegalArgumentException.class);
        linux.close(fd);
    }

    @Test
    void fileSize_isOfRegularFilesOnly() throws Exception {
        int memory = linux.memfd("longshore-os-test", 123_456_789_000L);
        assertThat(linux.regularFileBytes(memory)).isEqualTo(123_456_789_000L);
        assertThat(linux.regularFileBytes(pair[0])).isZero();
        linux.close(memory);
    }

    @Test
    void mmap_isSharedWithTheFile() {
        int memory = linux.memfd("longshore-os-test", 8192);
        long a = linux.mmap(memory, 8192);
        long b = linux.mmap(memory, 4096);
        MemorySegment first = MemorySegment.ofAddress(a).reinterpret(8192);
        MemorySegment second = MemorySegment.ofAddress(b).reinterpret(4096);
        first.set(ValueLayout.JAVA_LONG, 4088, 77);
        assertThat(second.get(ValueLayout.JAVA_LONG, 4088)).isEqualTo(77);
        assertThat(linux.munmap(a, 8192)).isZero();
        assertThat(linux.munmap(b, 4096)).isZero();
        linux.close(memory);
    }

    @Test
    void newDescriptors_areClosedOnExec_andNonBlocking() throws Exception {
        int event = linux.eventfd();
        int ping = linux.pingSocket();
        for (int fd : new int[] {event, pair[0], ping}) {
            if (fd < 0) {
                assertThat(fd).as("the host forbids ping sockets").isEqualTo(-13);
                continue;
            }
            long flags = Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd)).stream()
                    .filter(l -> l.startsWith("flags:"))
                    .mapToLong(l -> Long.parseLong(l.substring(6).strip(), 8))
                    .findFirst()
                    .orElseThrow();
            assertThat(flags & 0x80800).isEqualTo(0x80800);
        }
        linux.close(event);
        linux.close(ping);
    }
}
