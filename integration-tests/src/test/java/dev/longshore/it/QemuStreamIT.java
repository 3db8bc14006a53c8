package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** QEMU's own end of the stream: its network boot program, emulated, leases an address, twice, over one listening socket. */
@Order(11)
@Timeout(300)
@BesideTheGuest
class QemuStreamIT {
    /** The cookie of DHCP and option 53: an ACK. */
    private static final String ACK =
            new String(new byte[] {0x63, (byte) 0x82, 0x53, 0x63, 53, 1, 5}, StandardCharsets.ISO_8859_1);

    private static final Duration BOOT = Duration.ofMinutes(1);

    @Test
    void networkBoot_leasesAnAddress_andAnotherMachineDoesAfterwards(@TempDir Path dir) {
        Path socket = dir.resolve("s");
        Path pcap = dir.resolve("pcap");
        try (NetProgram net =
                new NetProgram("--qemu", socket.toString(), "--subnet", "192.168.78.0/24", "--pcap", pcap.toString())) {
            for (int machine = 1; machine <= 2; machine++) {
                int acks = machine;
                try (Running qemu = Command.of(
                                "qemu-system-x86_64",
                                "-accel",
                                "tcg",
                                "-m",
                                "64",
                                "-display",
                                "none",
                                "-boot",
                                "n",
                                "-netdev",
                                "stream,id=n,server=off,addr.type=unix,addr.path=" + socket,
                                "-device",
                                "virtio-net-pci,netdev=n")
                        .start()) {
                    Await.until(
                            "lease of machine " + machine,
                            BOOT,
                            () -> acks(pcap) >= acks,
                            () -> qemu.err() + net.said());
                }
            }
            assertThat(net.stop()).isZero();
        }
        assertThat(socket).doesNotExist();
    }

    private static int acks(Path pcap) throws Exception {
        String bytes = Files.readString(pcap, StandardCharsets.ISO_8859_1);
        int n = 0;
        for (int at = bytes.indexOf(ACK); at >= 0; at = bytes.indexOf(ACK, at + 1)) {
            n++;
        }
        return n;
    }
}
