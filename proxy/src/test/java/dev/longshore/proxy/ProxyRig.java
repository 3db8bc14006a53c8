package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import io.netty.util.concurrent.Promise;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;

/** A guest's connection to the proxy, and the origins that the proxy dials, all scripted. */
final class ProxyRig {
    static final ProxySettings SETTINGS = new ProxySettings(
            "longshore-test",
            new OwnAddresses(
                    Set.of(IpAddress.parse("192.168.65.254")),
                    Set.of("host.docker.internal"),
                    List.of(
                            new OwnAddresses.Subnet(IpAddress.parse("192.168.65.0"), 24),
                            new OwnAddresses.Subnet(IpAddress.parse("fdc4:f303:9324::"), 64))),
            Duration.ofSeconds(60),
            Duration.ofMinutes(10));

    final List<Destination> dialed = new ArrayList<>();
    final Deque<Promise<DialResult>> dials = new ArrayDeque<>();
    final ScriptedChannel guest;

    ProxyRig() {
        guest = new ScriptedChannel(new HttpProxy(
                SETTINGS,
                (destination, loop) -> {
                    Promise<DialResult> dial = loop.newPromise();
                    dialed.add(destination);
                    dials.add(dial);
                    return dial;
                },
                100));
    }

    /** The oldest unanswered dial succeeds. */
    ScriptedChannel connect() {
        ScriptedChannel origin = ScriptedChannel.beside(guest);
        answerDial(new DialResult.Connected(origin));
        return origin;
    }

    void answerDial(DialResult result) {
        assertThat(dials).as("dials in flight").isNotEmpty();
        dials.remove().setSuccess(result);
        guest.runPendingTasks();
    }

    /** Sends {@code request} and connects the origin it asks for. */
    ScriptedChannel request(String request) {
        guest.receive(request);
        return connect();
    }
}
