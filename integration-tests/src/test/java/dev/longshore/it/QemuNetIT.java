package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.backend.BareNetwork;
import dev.longshore.config.Home;
import java.io.InputStream;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The card behind QEMU, with what QEMU and the guest's driver can be told to do without or to do otherwise: a guest with one
 * card for each, all in one boot, each with a network of its own.
 */
@Order(61)
@BesideTheGuest
class QemuNetIT {
    private static final Duration BOOT = Duration.ofMinutes(3);
    private static final Duration STEP = Duration.ofSeconds(90);
    private static final long BYTES = 50_000_000;

    /** @param queues options of the back end, {@code card} of the card */
    private record Variant(String name, String queues, String card) {}

    private static final List<Variant> VARIANTS = List.of(
            new Variant("plain", "", ""),
            new Variant("mq", ",queues=2", ",mq=on"),
            new Variant("packed", "", ",packed=on"),
            new Variant("packed-mq", ",queues=2", ",packed=on,mq=on"),
            new Variant("packed-bare", "", ",packed=on,event_idx=off,indirect_desc=off,mrg_rxbuf=off"),
            new Variant("event_idx", "", ",event_idx=off"),
            new Variant("indirect_desc", "", ",indirect_desc=off"),
            new Variant("mrg_rxbuf", "", ",mrg_rxbuf=off"),
            new Variant("guest_tso", "", ",guest_tso4=off,guest_tso6=off"),
            new Variant("host_tso", "", ",host_tso4=off,host_tso6=off"),
            new Variant("csum", "", ",csum=off,guest_csum=off"));

    private static final Path CACHE = Home.locate(System.getenv(), Path.of("/")).cache();

    @TempDir
    Path dir;

    private final List<AutoCloseable> open = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open.reversed()) {
            each.close();
        }
    }

    private <T extends AutoCloseable> T opened(T resource) {
        open.add(resource);
        return resource;
    }

    /** The steps for card {@code i}: a lease, ping, {@link #BYTES} from the host and back to it, all at once. */
    private static String check(int i, String name, int from, int to) {
        String host = "10.77." + i + ".254";
        return """
                try() { "$@" > /tmp/out 2>&1 || { echo "FAILED %1$s: $*"; cat /tmp/out; }; }
                e=$(ls /sys/bus/pci/devices/0000:00:%5$s.0/virtio*/net)
                ip link set $e up
                try udhcpc -i $e -n -q -t 10 -T 1 -s /dhcp
                try ping -c 2 -W 5 10.77.%6$d.1
                nc %2$s %3$d < /dev/null | nc %2$s %4$d
                ip link set $e down
                echo "done %1$s"
                """.formatted(name, host, from, to, Integer.toHexString(0x10 + i), i);
    }

    /** busybox's DHCP client tells this script what it got. */
    private static final String DHCP = """
            cat > /dhcp <<'END'
            #!/bin/sh
            [ "$1" = bound ] && ip addr flush dev $interface && ip addr add $ip/24 dev $interface
            exit 0
            END
            chmod +x /dhcp
            """;

    @Test
    @Timeout(600)
    void everyKindOfCard_leasePingAndTraffic(@TempDir Path scratch) throws Exception {
        RandomData data = new RandomData(51, BYTES);
        Map<String, String> results = new ConcurrentHashMap<>();
        List<QemuGuest.Card> cards = new ArrayList<>();
        List<BareNetwork> networks = new ArrayList<>();
        StringBuilder script = new StringBuilder(DHCP);
        HostServer down = opened(HostServer.sending(data));
        for (int i = 0; i < VARIANTS.size(); i++) {
            Variant variant = VARIANTS.get(i);
            Path socket = dir.resolve(i + ".sock");
            networks.add(opened(new BareNetwork(socket, "10.77." + i + ".0/24")));
            cards.add(new QemuGuest.Card(socket, variant.queues, variant.card));
            HostServer up = opened(new HostServer(s -> results.put(variant.name, data.compare(in(s)))));
            script.append(check(i, variant.name, down.port(), up.port()));
        }
        script.append("echo all done\n");
        QemuGuest guest = opened(QemuGuest.boot(scratch, CACHE, cards, script.toString()));
        for (int i = 0; i < VARIANTS.size(); i++) {
            guest.awaitLine("done " + VARIANTS.get(i).name, i == 0 ? BOOT : STEP);
            System.out.println(VARIANTS.get(i).name + ": " + networks.get(i).summary());
        }
        guest.awaitLine("all done", STEP);
        assertThat(guest.console()).doesNotContain("FAILED");
        assertThat(results).as(guest.console()).hasSize(VARIANTS.size()).allSatisfy((name, result) -> assertThat(result)
                .as(name)
                .isEqualTo("same"));
        assertThat(networks.get(1).chainsFromGuest(1))
                .as("the second pair is used")
                .isPositive();
    }

    private static InputStream in(Socket s) throws Exception {
        return s.getInputStream();
    }

    /** Lesson 35: the back end is killed under traffic and started again; QEMU connects again and the card goes on. */
    @ParameterizedTest
    @ValueSource(strings = {"", ",packed=on"})
    @Timeout(600)
    void backEndKilledAndStartedAgain_trafficGoesOn(String kind, @TempDir Path scratch) throws Exception {
        RandomData data = new RandomData(77, 10_000_000);
        List<String> results = new CopyOnWriteArrayList<>();
        HostServer down = opened(HostServer.sending(data));
        HostServer up = opened(new HostServer(s -> results.add(data.compare(in(s)))));
        Path socket = dir.resolve("net.sock");
        String again = """
                until ping -c 1 -W 1 10.77.0.1 > /dev/null; do :; done
                nc 10.77.0.254 %d < /dev/null | nc 10.77.0.254 %d
                """.formatted(down.port(), up.port());
        String script = DHCP + """
                ip link set eth0 up
                udhcpc -i eth0 -n -q -t 10 -T 1 -s /dhcp
                ping -i 0.002 -s 1400 10.77.0.1 > /dev/null &
                """ + again + "echo ready for 1\nhead -n 1 < /dev/ttyS0 > /dev/null\n" + again
                + "echo ready for 2\nhead -n 1 < /dev/ttyS0 > /dev/null\n" + again + "echo all done\n";
        Running backend = startBackend(socket);
        QemuGuest guest = opened(QemuGuest.boot(scratch, CACHE, List.of(new QemuGuest.Card(socket, "", kind)), script));
        for (int life = 1; life <= 2; life++) {
            guest.awaitLine("ready for " + life, BOOT);
            backend.close(); // SIGKILL
            backend = startBackend(socket);
            guest.type("go on");
        }
        guest.awaitLine("all done", STEP);
        assertThat(results).as(guest.console()).containsExactly("same", "same", "same");
    }

    private Running startBackend(Path socket) {
        Running running = opened(Command.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-Xmx64m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        BareNetwork.class.getName(),
                        socket.toString(),
                        "10.77.0.0/24")
                .start());
        return running.awaitOut("ready", STEP);
    }
}
