package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What counts as a service of the host's loopback in Linux's tables. */
class HostServicesTest {
    private static final String HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n";

    @TempDir
    Path net;

    private void table(String name, String... rows) throws IOException {
        StringBuilder text = new StringBuilder(HEAD);
        for (int i = 0; i < rows.length; i++) {
            text.append("   ").append(i).append(": ").append(rows[i]).append(" 00000000:00000000 00:00000000\n");
        }
        Files.writeString(net.resolve(name), text);
    }

    @Test
    void listenersOnLoopbackOrAnyAddress_count_ofBothFamilies() throws IOException {
        table(
                "tcp",
                "0100007F:1F90 00000000:0000 0A",
                "00000000:0050 00000000:0000 0A",
                "0205A8C0:0051 00000000:0000 0A",
                "0100007F:9C40 0100007F:0050 01",
                "0100007F:0052 00000000:0000 0A");
        table(
                "tcp6",
                "00000000000000000000000001000000:0053 00000000000000000000000000000000:0000 0A",
                "0000000000000000FFFF00000100007F:0054 00000000000000000000000000000000:0000 0A",
                "0000000000000000FFFF00000205A8C0:0055 00000000000000000000000000000000:0000 0A");
        table(
                "udp",
                "0100007F:0035 00000000:0000 07",
                "00000000:C350 00000000:0000 07",
                "00000000:0036 0100007F:0035 01");

        assertThat(new HostServices(net).read())
                .extracting(HostServices.Service::toString)
                .containsExactly("tcp 80", "tcp 83", "tcp 84", "tcp 8080", "udp 53");
    }

    @Test
    void nonsense_isNothing() throws IOException {
        Files.writeString(net.resolve("tcp"), HEAD + "\n  0: xyz\n");
        table("udp", "nothing 00000000:0000 07", "0100007F:zz 00000000:0000 07");

        assertThat(new HostServices(net).read()).isEmpty();
    }

    @Test
    void thisHost_hasTheSocketOfThisTest() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertThat(HostServices.ofHost().read()).contains(new HostServices.Service("tcp", socket.getLocalPort()));
        }
    }
}
