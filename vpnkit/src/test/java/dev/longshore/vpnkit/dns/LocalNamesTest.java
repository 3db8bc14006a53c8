package dev.longshore.vpnkit.dns;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.VirtualLoop;
import io.netty.channel.epoll.EpollIoHandler;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** RFC 6762 §22.1, by a system that a test plays. */
class LocalNamesTest {
    private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    private final List<Runnable> threads = new ArrayList<>();
    private final List<String> asked = new ArrayList<>();
    private final List<@Nullable List<IpAddress>> told = new ArrayList<>();
    private List<String> knows = List.of();

    private final LocalNames names =
            new LocalNames(loop, threads::add, this::lookUp, new NameTable.Place(0xC0A8_41FE, new IpAddress(1, 254)));

    private List<InetAddress> lookUp(String name) throws UnknownHostException {
        asked.add(name);
        if (knows.isEmpty()) {
            throw new UnknownHostException(name);
        }
        return knows.stream().map(InetAddress::ofLiteral).toList();
    }

    @AfterEach
    void close() {
        loop.close();
    }

    private void answer() {
        threads.removeFirst().run();
        loop.runDue();
    }

    @Test
    void addresses_areWhatTheSystemSays_asAGuestCanUseThem() {
        knows = List.of("192.168.7.9", "fe80::9", "127.0.1.1", "2001:db8::9", "::1");
        names.find("printer.local", told::add);
        answer();
        assertThat(asked).containsExactly("printer.local."); // not what the host would search for
        assertThat(told)
                .containsExactly(List.of(
                        IpAddress.parse("192.168.7.9"),
                        IpAddress.v4(0xC0A8_41FE),
                        IpAddress.parse("2001:db8::9"),
                        new IpAddress(1, 254)));
    }

    @Test
    void unknownName_hasNone() {
        names.find("a.local", told::add);
        answer();
        assertThat(told).containsExactly(List.of());
    }

    @Test
    void silentSystem_isNotWaitedForLongerThanTheGuestWaits_andOnce() {
        names.find("a.local", told::add);
        loop.advance(Duration.ofMillis(4500));
        assertThat(told).containsExactly((List<IpAddress>) null);
        answer();
        assertThat(told).hasSize(1);
    }

    @Test
    void moreThanAFew_areRefusedAtOnce() {
        for (int i = 0; i < 65; i++) {
            names.find("a" + i + ".local", told::add);
        }
        assertThat(told).containsExactly((List<IpAddress>) null);
        loop.advance(Duration.ofSeconds(5));
        assertThat(told).hasSize(65);
        names.find("b.local", told::add);
        assertThat(told).hasSize(65);
    }
}
