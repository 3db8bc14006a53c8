package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** What the guest's TCP has on its device, from the constructor to {@link #complaints}: the heads of the frames. */
final class GuestCapture implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    /** Ordinary flow control, whoever says it. */
    static final Set<String> FLOW_CONTROL =
            Set.of("TCP window update", "TCP window specified by the receiver is now completely full");

    /** A receiver that was not given a processor for a while, and what its sender then asks. */
    static final Set<String> SLOW_RECEIVER = Set.of(
            "TCP Zero Window segment",
            "TCP Zero Window Probe",
            "ACK to a TCP Zero Window Probe",
            "ACK to TCP Zero Window Probe");

    private static final String CHAT = "Connection "; // SYN, SYN-ACK, FIN

    private final Path file;
    private final Running dumpcap;

    GuestCapture(ClientsLab lab, Path file) {
        this.file = file;
        dumpcap = lab.guest("dumpcap", "-q", "-i", "eth0", "-f", "tcp", "-s", "128", "-B", "64", "-w", file.toString())
                .start();
        Await.until("dumpcap", LIMIT, () -> dumpcap.err().contains("File: "), dumpcap::err);
    }

    /**
     * Ends the capture.
     *
     * @param harmless what tshark's {@code tcp.analysis.flags} may say
     * @return what else it says, a line for each packet
     */
    List<String> complaints(Set<String> harmless) {
        Command.of("kill", "-INT", String.valueOf(dumpcap.pid())).run().expectOk();
        Command.Result ended = dumpcap.result(LIMIT);
        assertThat(ended.err())
                .as("the capture is whole")
                .containsPattern("received/dropped on interface.*: [1-9]\\d*/0 ");
        String said = Command.of(
                        "tshark",
                        "-n",
                        "-r",
                        file.toString(),
                        "-d",
                        "tcp.port==1-65535,data", // whatever protocol an ephemeral port may stand for
                        "-Y",
                        "tcp.analysis.flags",
                        "-T",
                        "fields",
                        "-E",
                        "aggregator=;",
                        "-e",
                        "frame.number",
                        "-e",
                        "tcp.stream",
                        "-e",
                        "_ws.expert.message")
                .run()
                .expectOk()
                .out();
        List<String> complaints = new ArrayList<>();
        said.lines().forEach(packet -> {
            for (String message : packet.split("\t", -1)[2].split(";", -1)) {
                if (!message.startsWith(CHAT) && !harmless.contains(message)) {
                    complaints.add(packet);
                    break;
                }
            }
        });
        return complaints;
    }

    @Override
    public void close() {
        dumpcap.close();
    }
}
