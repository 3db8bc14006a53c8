package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Flows, frames and counters of a running guest, with tshark as the judge of what was captured. */
@Order(45)
@ExtendWith(SharedProduct.class)
class SeeingInIT {
    private static final String HOST = "host.docker.internal";
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private final Product product;
    private final DockerCli docker;

    @TempDir
    private Path directory;

    SeeingInIT(Product product, DockerCli docker) {
        this.product = product;
        this.docker = docker;
    }

    @Test
    void flow_underWay_isListedWithItsBytes() throws Exception {
        CountDownLatch listed = new CountDownLatch(1);
        try (HostServer server = new HostServer(s -> {
            s.getOutputStream().write(new byte[100_000]);
            s.getOutputStream().flush();
            listed.await(60, TimeUnit.SECONDS);
        })) {
            docker.ok(
                    "run",
                    "-d",
                    "--name",
                    "seen",
                    TestImage.NAME,
                    "peer",
                    "receive",
                    HOST,
                    String.valueOf(server.port()));
            try {
                String[] wanted = {"flows", "tcp", "port", String.valueOf(server.port()), "--format", "json"};
                Await.until(
                        "the flow with its bytes",
                        LIMIT,
                        () -> product.longshore(wanted).run().expectOk().out().contains("\"bytesToGuest\":100000"));
                String flow = product.longshore(wanted).run().expectOk().text();
                assertThat(flow)
                        .contains("\"state\":\"ESTABLISHED\"", "\"openedBy\":\"guest\"", "\"smoothedRttMicros\":")
                        .contains("\"remoteAddress\":\"192.168.65.254\"", "\"hostPort\":");
                assertThat(product.longshore("flows").run().expectOk().out())
                        .contains("PROTO", "192.168.65.254:" + server.port(), "100 kB");
            } finally {
                listed.countDown();
                docker.remove("seen");
            }
        }
    }

    @Test
    void capture_ofOnePort_isReadByTshark() {
        Path file = directory.resolve("a.pcapng");
        try (HostServer server = HostServer.http("from the host");
                Running capture = product.longshore("capture", "-w", file.toString(), "tcp port " + server.port())
                        .start()) {
            awaitErr(capture, "capturing to");
            assertThat(docker.sh("wget -q -O - http://" + HOST + ":" + server.port() + "/"))
                    .isEqualTo("from the host");
            interrupt(capture);
            Command.Result ended = capture.result(LIMIT);
            assertThat(ended.err()).containsPattern("[0-9]+ frames captured, 0 dropped");

            String flags = tshark(file, "-T", "fields", "-e", "tcp.flags.str");
            assertThat(flags).contains("S").contains("A").contains("F");
            assertThat(tshark(file, "-Y", "tcp.port != " + server.port())).isBlank();
            assertThat(tshark(file, "-Y", "_ws.malformed or tcp.analysis.lost_segment"))
                    .isBlank();
            assertThat(tshark(file, "-Y", "http.response", "-T", "fields", "-e", "http.file_data"))
                    .isNotBlank();
            assertThat(tshark(file, "-Y", "frame.packet_flags_direction == 1")).isNotBlank();
            assertThat(tshark(file, "-Y", "frame.packet_flags_direction == 2")).isNotBlank();
        }
    }

    @Test
    void capture_withACount_printsLinesAndEnds() {
        try (Running capture = product.longshore("capture", "-c", "2", "icmp or udp port 53")
                        .start();
                TestResolver resolver = new TestResolver()) {
            assertThat(resolver).isNotNull();
            Await.until("two packets", LIMIT, () -> {
                docker.run("run", "--rm", TestImage.NAME, "nslookup", "-type=a", HOST);
                return !capture.isAlive();
            });
            Command.Result ended = capture.result(LIMIT).expectOk();
            assertThat(ended.out().lines()).hasSize(2);
            assertThat(ended.out()).contains("IP 172.17.0.", "192.168.65.7.53: UDP, length", "question, " + HOST);
            assertThat(ended.err()).contains("2 frames captured, 0 dropped");
        }
    }

    @Test
    void filter_thatIsNotOurs_isRefusedWithTheReason() {
        Command.Result refused = product.longshore("capture", "ether host 1").run();

        assertThat(refused.exit()).isEqualTo(1);
        assertThat(refused.err()).contains("'ether' of pcap-filter(7) is not supported here");
    }

    @Test
    void counters_ofDrops_areAmongTheMetrics() {
        assertThat(product.longshore("metrics").run().expectOk().out())
                .contains(
                        "vpnkit_packets_dropped_total{layer=\"ip\"", "virtio_net_frames_dropped_total{reason=\"runt\"}")
                .contains("# HELP vpnkit_tcp_segments_retransmitted");
    }

    private static void awaitErr(Running running, String text) {
        Await.until("'" + text + "'", LIMIT, () -> running.err().contains(text));
    }

    private static void interrupt(Running running) {
        Command.of("kill", "-INT", String.valueOf(running.pid())).run().expectOk();
    }

    private static String tshark(Path file, String... arguments) {
        List<String> line = new ArrayList<>(List.of("tshark", "-n", "-r", file.toString()));
        line.addAll(List.of(arguments));
        return Command.of(line).within(LIMIT).run().expectOk().out();
    }
}
