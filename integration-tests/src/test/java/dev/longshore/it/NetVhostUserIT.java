package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.Home;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code longshore net} as a vhost-user back end, for machines of the user's own: one after the other on the same socket. */
@Order(62)
@Timeout(600)
@BesideTheGuest
class NetVhostUserIT {
    private static final Duration BOOT = Duration.ofMinutes(3);
    private static final Path CACHE = Home.locate(System.getenv(), Path.of("/")).cache();
    private static final RandomData DATA = new RandomData(53, 20_000_000);

    @TempDir
    Path dir;

    private final Map<String, String> results = new ConcurrentHashMap<>();

    /** A lease, a ping, {@link #DATA} from the host and back to it; "done" when nothing has failed. */
    private static String script(HostServer down, HostServer up) {
        return """
                cat > /dhcp <<'END'
                #!/bin/sh
                [ "$1" = bound ] || exit 0
                ip addr add $ip/24 dev $interface && ip route add default via $router && echo "leased $ip mtu $mtu"
                END
                chmod +x /dhcp
                echo "card $(cat /sys/class/net/eth0/address) $(cat /sys/class/net/eth0/mtu)"
                ip link set eth0 up
                udhcpc -i eth0 -n -q -t 10 -T 1 -s /dhcp &&
                ping -c 2 -W 5 192.168.79.1 > /dev/null &&
                { nc 192.168.79.254 %d < /dev/null | nc 192.168.79.254 %d; } && echo done
                """.formatted(down.port(), up.port());
    }

    private HostServer comparing(String name) {
        return new HostServer(s -> {
            results.put(name, DATA.compare(s.getInputStream()));
        });
    }

    @Test
    void qemu_leaseMegabytesAndASecondMachine() throws Exception {
        Path socket = dir.resolve("net.sock");
        try (NetProgram net = new NetProgram("--vhost-user", socket.toString(), "--subnet", "192.168.79.0/24");
                HostServer down = HostServer.sending(DATA)) {
            for (String machine : List.of("first", "second")) {
                Path scratch = Files.createDirectory(dir.resolve(machine));
                try (HostServer up = comparing(machine);
                        QemuGuest guest = QemuGuest.boot(
                                scratch, CACHE, List.of(new QemuGuest.Card(socket, "", "")), script(down, up))) {
                    guest.awaitLine("leased 192.168.79.3 mtu 1500", BOOT);
                    guest.awaitLine("done", BOOT);
                }
            }
            assertThat(net.said()).doesNotContain("ERROR");
            assertThat(net.stop()).isZero();
        }
        assertThat(results).isEqualTo(Map.of("first", "same", "second", "same"));
        assertThat(socket).doesNotExist();
    }

    /** User-mode Linux asks the back end for the card's address and MTU. */
    @Test
    void userModeLinux_cardsConfigurationLeaseMegabytesAndASecondMachine() throws Exception {
        Path socket = dir.resolve("net.sock");
        try (NetProgram net = new NetProgram(
                        "--vhost-user-uml", socket.toString(), "--subnet", "192.168.79.0/24", "--mtu", "4000");
                HostServer down = HostServer.sending(DATA)) {
            for (String machine : List.of("first", "second")) {
                Path scratch = Files.createDirectory(dir.resolve(machine));
                try (HostServer up = comparing(machine);
                        UmlGuest guest = UmlGuest.boot(scratch, CACHE, socket, script(down, up))) {
                    guest.awaitLine("card 02:4c:53:00:00:03 4000", BOOT);
                    guest.awaitLine("leased 192.168.79.3 mtu 4000", BOOT);
                    guest.awaitLine("done", BOOT);
                }
            }
            assertThat(net.said()).doesNotContain("ERROR");
            assertThat(net.stop()).isZero();
        }
        assertThat(results).isEqualTo(Map.of("first", "same", "second", "same"));
        assertThat(socket).doesNotExist();
    }
}
