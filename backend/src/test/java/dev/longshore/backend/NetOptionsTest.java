package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.EffectiveSettings;
import dev.longshore.config.Ipv4Subnet;
import dev.longshore.config.PortBinding;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsResult;
import dev.longshore.control.Ports;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The arguments of {@code longshore net}. */
class NetOptionsTest {
    private static EffectiveSettings admin(String json) {
        try {
            Path file = Files.writeString(Files.createTempFile("admin", ".json"), json);
            try {
                return ((SettingsResult.Usable) SettingsFiles.readAdmin(file)).effective();
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void administratorsSettings_holdHereToo_andLocksRefuseOtherOptions() {
        EffectiveSettings admin = admin("""
                {"vpnKitMTU": {"locked": true, "value": 9000}, "network": {"ping": {"locked": false, "value": false}},
                 "linuxVM": {"vpnkitCIDR": {"locked": true, "value": "10.9.0.0/16"}},
                 "portBindingBehavior": {"locked": true, "value": "local-only-port-binding"}}
                """);

        NetOptions.Usable plain = (NetOptions.Usable) NetOptions.parse(List.of("--tap", "t"), admin);
        assertThat(plain.network().mtu()).isEqualTo(9000);
        assertThat(plain.network().subnet()).isEqualTo(Ipv4Subnet.parse("10.9.0.0/16"));
        assertThat(plain.network().ping()).isFalse();
        assertThat(plain.settings().ports().binding()).isEqualTo(PortBinding.LOCAL_ONLY_PORT_BINDING);
        assertThat(NetOptions.parse(List.of("--tap", "t", "--mtu", "9000"), admin))
                .isInstanceOf(NetOptions.Usable.class);
        for (List<String> option : List.of(List.of("--mtu", "1500"), List.of("--subnet", "10.8.0.0/16"))) {
            List<String> words = new ArrayList<>(List.of("--tap", "t"));
            words.addAll(option);
            assertThat(NetOptions.parse(words, admin))
                    .isInstanceOfSatisfying(NetOptions.Wrong.class, w -> assertThat(w.text())
                            .contains("is locked by your administrator in " + admin.adminFile()));
        }
    }

    private static NetOptions parse(String line) {
        return NetOptions.parse(List.of(line.split(" ", -1)), admin("{}"));
    }

    private static NetOptions.Usable usable(String line) {
        NetOptions parsed = parse(line);
        assertThat(parsed).isInstanceOf(NetOptions.Usable.class);
        return (NetOptions.Usable) parsed;
    }

    @Test
    void tapAlone_hasTheDefaultsOfTheSettings() {
        NetOptions.Usable net = usable("--tap tap0");
        assertThat(net.link()).isEqualTo(new NetOptions.LinkChoice.TapDevice("tap0", null, false));
        assertThat(net.network().mtu()).isEqualTo(1500);
        assertThat(net.network().moveSubnet()).isTrue();
        assertThat(net.publish()).isEmpty();
        assertThat(net.control()).isNull();
    }

    @Test
    void everything_isUnderstood() {
        NetOptions.Usable net =
                usable("--tap tap0@/proc/7/ns/net --configure --subnet 10.7.0.0/24 --mtu 9000 --dns 1.2.3.4"
                        + " --dns ::1 --pcap /tmp/p --control /tmp/c --publish 8080:80 --publish 127.0.0.1:53:5353/udp"
                        + " --publish [::1]:0:22/tcp");
        assertThat(net.link()).isEqualTo(new NetOptions.LinkChoice.TapDevice("tap0", "/proc/7/ns/net", true));
        assertThat(net.network().subnet()).isEqualTo(Ipv4Subnet.parse("10.7.0.0/24"));
        assertThat(net.network().moveSubnet()).isFalse();
        assertThat(net.network().mtu()).isEqualTo(9000);
        assertThat(net.network().dnsServers())
                .containsExactly(InetAddress.ofLiteral("1.2.3.4"), InetAddress.ofLiteral("::1"));
        assertThat(net.network().pcapFile()).isEqualTo("/tmp/p");
        assertThat(net.control()).isEqualTo(Path.of("/tmp/c"));
        assertThat(net.publish())
                .containsExactly(
                        new NetOptions.Publish(Ports.Protocol.TCP, "", 8080, 80),
                        new NetOptions.Publish(Ports.Protocol.UDP, "127.0.0.1", 53, 5353),
                        new NetOptions.Publish(Ports.Protocol.TCP, "::1", 0, 22));
    }

    @Test
    void socketsOfEachKind_areLinks() {
        assertThat(usable("--qemu /tmp/q").link()).isEqualTo(new NetOptions.LinkChoice.Qemu(Path.of("/tmp/q")));
        assertThat(usable("--vfkit /tmp/v").link()).isEqualTo(new NetOptions.LinkChoice.Vfkit(Path.of("/tmp/v")));
        assertThat(usable("--vhost-user /tmp/u").link())
                .isEqualTo(new NetOptions.LinkChoice.VhostUser(Path.of("/tmp/u"), false));
        assertThat(usable("--vhost-user-uml /tmp/u").link())
                .isEqualTo(new NetOptions.LinkChoice.VhostUser(Path.of("/tmp/u"), true));
    }

    @Test
    void help_isAskedFor() {
        assertThat(parse("--tap tap0 --help")).isInstanceOf(NetOptions.Help.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--mtu 1500",
                "--tap",
                "--tap tap0 --qemu /tmp/q",
                "--tap 0123456789abcdef",
                "--tap @ns",
                "--tap tap0 --mtu 575",
                "--tap tap0 --mtu 65521",
                "--tap tap0 --mtu big",
                "--tap tap0 --subnet 10.0.0.0/25",
                "--tap tap0 --subnet 10.0.0.1/24",
                "--tap tap0 --dns resolver",
                "--tap tap0 --publish 80",
                "--tap tap0 --publish 70000:80",
                "--tap tap0 --publish 80:0",
                "--tap tap0 --publish 999.1.1.1:80:80",
                "--qemu /tmp/q --configure",
                "--tap tap0 --what",
            })
    void wrongArguments_areRefusedWithAReason(String line) {
        NetOptions parsed = parse(line);
        assertThat(parsed).isInstanceOf(NetOptions.Wrong.class);
        assertThat(((NetOptions.Wrong) parsed).text()).isNotBlank();
    }

    @Test
    void socketPathThatIsTooLong_isRefused() {
        assertThat(parse("--qemu /tmp/" + "x".repeat(120))).isInstanceOf(NetOptions.Wrong.class);
    }
}
