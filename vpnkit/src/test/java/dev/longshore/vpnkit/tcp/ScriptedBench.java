package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.TcpScript;
import dev.longshore.vpnkit.hostsocket.DialResult;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A {@link TcpBench} driven by a {@link TcpScript}. What the host can do: {@code connects}, {@code refuses}, {@code sends n},
 * {@code finishes}, {@code resets}, {@code stalls n}, {@code resumes}, {@code got n [eof]} (in all), {@code gone}, {@code reset}.
 */
final class ScriptedBench implements AutoCloseable {
    /** The first byte of the guest's text has a number below the wrap, the hundredth one above. */
    static final int GUEST_ISS = -100;

    final TcpBench bench = new TcpBench();
    private final TcpScript script = new TcpScript(bench.loop, bench.guest, GUEST_ISS, this::host);
    private @Nullable FakeHost host;
    private int sent;
    private int got;

    void run(String text) {
        script.run(text);
    }

    private FakeHost host() {
        return Objects.requireNonNull(host, "not connected");
    }

    private void host(String... words) {
        switch (words[0]) {
            case "connects" -> {
                host = bench.connects();
                sent = 0;
                got = 0;
            }
            case "refuses" -> bench.dial().answers(new DialResult.Refused());
            case "sends" -> {
                int n = Integer.parseInt(words[1]);
                host().sends(TcpScript.pattern(1 + sent, n));
                sent += n;
            }
            case "finishes" -> host().finishes();
            case "resets" -> host().resets();
            case "stalls" -> host().stalls(Integer.parseInt(words[1]));
            case "resumes" -> host().resumes();
            case "got" -> {
                byte[] text = host().takeReceived();
                assertThat(text).isEqualTo(TcpScript.pattern(1 + got, text.length));
                got += text.length;
                assertThat(got).as("bytes the host got").isEqualTo(Integer.parseInt(words[1]));
                assertThat(host().sawEof()).as("end of stream").isEqualTo(words.length > 2);
            }
            case "gone" -> assertThat(host().isClosed()).as("host closed").isTrue();
            case "reset" -> assertThat(host().isReset()).as("host reset").isTrue();
            default -> throw new IllegalArgumentException(String.join(" ", words));
        }
    }

    TcpFlow flow() {
        return bench.flow();
    }

    boolean isGone() {
        return bench.isGone();
    }

    @Override
    public void close() {
        bench.guestEnd.clearReceived();
        bench.close();
    }
}
