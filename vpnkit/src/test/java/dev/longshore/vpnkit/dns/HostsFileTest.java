package dev.longshore.vpnkit.dns;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import io.netty.channel.DefaultEventLoop;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** hosts(5), as careless hosts have it. */
class HostsFileTest {
    private static final NameTable.Place HOST = new NameTable.Place(1, null);

    @TempDir
    Path dir;

    private final DefaultEventLoop loop = new DefaultEventLoop();
    private final List<Runnable> reading = new ArrayList<>();
    private long now;

    @AfterEach
    void close() {
        loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
    }

    @Test
    void monstrousNames_areLeftOut() {
        List<String> lines = List.of(
                "192.0.2.1 " + "a.".repeat(100_000) + "a b.test",
                "192.0.2.2 " + "x.".repeat(127) + "x c.test",
                ":".repeat(100_000) + "g d.test");
        HostsFile.Table table = HostsFile.parse(lines, HOST);
        assertThat(table.byName().keySet()).containsExactlyInAnyOrder("b.test", "c.test");
    }

    /** Two changes, of which the first is read last: what was there first does not come back. */
    @Test
    void slowReader_doesNotBringTheOldFileBack() throws Exception {
        Path file = Files.writeString(dir.resolve("hosts"), "192.0.2.1 a.test\n");
        HostsFile hosts = new HostsFile(file, HOST, loop, reading::add, () -> now);
        assertThat(addresses(hosts)).containsExactly(IpAddress.parse("192.0.2.1"));
        change(file, "192.0.2.2 a.test # two\n", hosts);
        Runnable slow = reading.removeFirst();
        change(file, "192.0.2.33 a.test # three\n", hosts);
        reading.removeFirst().run();
        Files.writeString(file, "192.0.2.2 a.test # two\n"); // as the slow one had read it
        slow.run();
        Files.writeString(file, "192.0.2.33 a.test # three\n");
        assertThat(addresses(hosts)).containsExactly(IpAddress.parse("192.0.2.33"));
    }

    private void change(Path file, String text, HostsFile hosts) throws Exception {
        Files.writeString(file, text);
        now += TimeUnit.SECONDS.toNanos(2);
        addresses(hosts);
    }

    private List<IpAddress> addresses(HostsFile hosts) throws Exception {
        return loop.submit(() -> hosts.addresses("a.test")).get();
    }
}
