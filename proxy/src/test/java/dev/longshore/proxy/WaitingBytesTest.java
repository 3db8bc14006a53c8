package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.Destination;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Thousands of connections that never end their headers must not take all memory there is. */
class WaitingBytesTest {
    private static final String ENDLESS =
            "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nX: " + "a".repeat(600) + "\r\nY: ";

    private final WaitingBytes waiting = new WaitingBytes(1000);
    private final List<Destination> dialed = new ArrayList<>();
    private final HttpProxy proxy = new HttpProxy(
            ProxyRig.SETTINGS,
            (destination, loop) -> {
                dialed.add(destination);
                return loop.newPromise();
            },
            100,
            waiting);

    private ScriptedChannel receiving(String text) {
        ScriptedChannel guest = new ScriptedChannel(proxy);
        guest.receive(text);
        return guest;
    }

    @Test
    void unfinishedHeads_beyondTheSum_areRefused_andGivenBack() {
        ScriptedChannel first = receiving(ENDLESS);
        assertThat(waiting.kept()).isEqualTo(ENDLESS.length());
        assertThat(receiving(ENDLESS).sent()).startsWith("HTTP/1.1 503 Service Unavailable\r\n");
        assertThat(waiting.kept()).isEqualTo(ENDLESS.length());
        assertThat(first.sent()).isEmpty();

        first.receive("b\r\n\r\n");
        assertThat(dialed).as("it may end, and is served").hasSize(1);
        assertThat(waiting.kept()).isZero();
    }

    @Test
    void whatComesWhole_isServedAlthoughNothingIsLeft() {
        waiting.change(5000);
        ScriptedChannel whole = receiving("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assertThat(dialed).hasSize(1);
        assertThat(whole.sent()).isEmpty();
        assertThat(receiving("GET ").sent()).startsWith("HTTP/1.1 503 ");
        assertThat(waiting.kept()).isEqualTo(5000);
    }

    @Test
    void connectionThatCloses_givesBack() {
        ScriptedChannel guest = receiving(ENDLESS);
        guest.close();
        guest.runPendingTasks();
        assertThat(waiting.kept()).isZero();
    }
}
