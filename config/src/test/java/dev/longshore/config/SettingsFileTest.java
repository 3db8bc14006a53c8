package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SettingsFileTest {
    @Test
    void emptyObject_read_isTheDefaults() {
        assertThat(usable("{}").settings()).isEqualTo(Settings.DEFAULTS);
    }

    @Test
    void missingFile_read_isTheDefaults(@TempDir Path directory) {
        assertThat(SettingsFile.read(directory.resolve("settings.json")))
                .isEqualTo(new SettingsResult.Usable(Settings.DEFAULTS, List.of()));
    }

    @Test
    void everyKey_read_isTaken() throws Exception {
        Settings settings = usable("""
                        {
                          // comments are allowed
                          "vm": {"kind": "uml", "cpus": 2, "memoryMiB": 512, "diskSizeMiB": 2048, "umlSeccomp": true},
                          "network": {
                            "subnet": "10.9.0.0/16", "moveSubnet": false, "mtu": 9000, "ping": false,
                            "dnsServers": ["10.1.1.1", "fd00::1"], "pcapFile": "/tmp/a.pcap", "ipv6": "off",
                          },
                          "ports": {"binding": "local-only-port-binding"},
                          "limits": {"tcpFlows": 100, "udpFlows": 101, "publishedPorts": 102, "logMiB": 3},
                        }
                        """).settings();

        assertThat(settings.vm()).isEqualTo(new Settings.Vm(VmKind.UML, 2, 512, 2048, true));
        assertThat(settings.network())
                .isEqualTo(new Settings.Network(
                        Ipv4Subnet.parse("10.9.0.0/16"),
                        false,
                        9000,
                        List.of(InetAddress.getByName("10.1.1.1"), InetAddress.getByName("fd00::1")),
                        false,
                        "/tmp/a.pcap",
                        Ipv6Mode.OFF));
        assertThat(settings.ports()).isEqualTo(new Settings.Ports(PortBinding.LOCAL_ONLY_PORT_BINDING));
        assertThat(settings.limits()).isEqualTo(new Settings.Limits(100, 101, 102, 3));
    }

    @Test
    void ipv6On_withAnMtuThatHasNoRoomForIt_isRefused() {
        List<Problem> problems = refused("{\"network\": {\"mtu\": 1279, \"ipv6\": \"on\"}}");
        assertThat(problems).hasSize(1);
        assertThat(problems.getFirst().toString()).contains("ipv6", "1280");
        assertThat(usable("{\"network\": {\"mtu\": 1279}}").settings().network().ipv6())
                .isEqualTo(Ipv6Mode.AUTO);
    }

    @Test
    void severalProblems_read_areToldTogetherWithTheirLines() {
        List<Problem> problems = refused("""
                {
                  "vm": {"kind": "vmware", "memoryMiB": 1},
                  "network": {
                    "subnet": "192.168.65.1/24",
                    "mtu": "large",
                    "dnsServers": ["8.8.8.8", "dns.example"]
                  },
                  "ports": 3
                }
                """);

        assertThat(problems)
                .extracting(Problem::toString)
                .containsExactly(
                        "line 2: vm.kind: must be one of auto, uml, qemu",
                        "line 2: vm.memoryMiB: must be a whole number from 256 to 262144",
                        "line 4: network.subnet: address bits are set outside the prefix /24",
                        "line 5: network.mtu: must be a whole number from 576 to 65520",
                        "line 6: network.dnsServers: must be a list of IP addresses, each in quotes",
                        "line 8: ports: must be an object {…}");
    }

    @Test
    void unknownKeys_read_areWarnedOfWithAHint() {
        List<Problem> warnings = usable("""
                        {"vm": {"memoryMib": 512, "colour": "red"},
                         "future": {}, "vm2": 1}
                        """).warnings();

        assertThat(warnings)
                .extracting(Problem::toString)
                .containsExactly(
                        "line 1: vm.memoryMib: unknown key, ignored; did you mean memoryMiB?",
                        "line 1: vm.colour: unknown key, ignored",
                        "line 2: future: unknown key, ignored",
                        "line 2: vm2: unknown key, ignored; did you mean vm?");
    }

    @Test
    void keyGivenTwice_read_isWarnedOf() {
        SettingsResult.Usable result = usable("{\"vm\": {\"cpus\": 1, \"cpus\": 2}}");

        assertThat(result.settings().vm().cpus()).isEqualTo(2);
        assertThat(result.warnings()).extracting(Problem::text).containsExactly("given twice; the last counts");
    }

    @Test
    void malformedFile_read_isRefusedAndLeftAlone(@TempDir Path directory) throws IOException {
        Path file = directory.resolve("settings.json");
        Files.writeString(file, "{\n  \"vm\": {\n");

        SettingsResult result = SettingsFile.read(file);

        assertThat(result).isInstanceOf(SettingsResult.Refused.class);
        assertThat(((SettingsResult.Refused) result).problems().getFirst().toString())
                .startsWith("line ")
                .contains("not JSON")
                .doesNotContain("Source");
        assertThat(file).hasContent("{\n  \"vm\": {\n");
    }

    @Test
    void otherThanOneObject_read_isRefused() {
        assertThat(refused("")).hasSize(1);
        assertThat(refused("[]")).hasSize(1);
        assertThat(refused("{} {}")).hasSize(1);
        assertThat(refused("null")).hasSize(1);
        assertThat(refused("[".repeat(1000))).hasSize(1);
        assertThat(refused("{\"vm\": {\"cpus\": 99999999999999999999}}")).hasSize(1);
        assertThat(refused("{\"vm\": {\"cpus\": 1.5}}")).hasSize(1);
        assertThat(refused("{\"vm\": {\"cpus\": null}}")).hasSize(1);
        assertThat(refused("{\"network\": {\"subnet\": \"10.0.0.0/8\"}}")).hasSize(1);
    }

    @Test
    void anyDamage_read_neverThrows() {
        String whole =
                "{\"vm\": {\"kind\": \"uml\", \"cpus\": 2}, \"network\": {\"dnsServers\": [\"1.1.1.1\"], \"mtu\": 1500}}";
        for (long seed = 0; seed < 3000; seed++) {
            Random random = new Random(seed);
            StringBuilder damaged = new StringBuilder(whole);
            for (int i = random.nextInt(4); i >= 0; i--) {
                int at = random.nextInt(damaged.length());
                switch (random.nextInt(3)) {
                    case 0 -> damaged.deleteCharAt(at);
                    case 1 -> damaged.setCharAt(at, (char) (32 + random.nextInt(96)));
                    default -> damaged.insert(at, "{}[],:\"0".charAt(random.nextInt(8)));
                }
            }
            assertThat(SettingsFile.parse(damaged.toString()))
                    .as("seed %s", seed)
                    .isNotNull();
        }
    }

    private static SettingsResult.Usable usable(String json) {
        SettingsResult result = SettingsFile.parse(json);
        assertThat(result).isInstanceOf(SettingsResult.Usable.class);
        return (SettingsResult.Usable) result;
    }

    private static List<Problem> refused(String json) {
        SettingsResult result = SettingsFile.parse(json);
        assertThat(result).isInstanceOf(SettingsResult.Refused.class);
        return ((SettingsResult.Refused) result).problems();
    }
}
