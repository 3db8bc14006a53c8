package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.FlowChannel;
import dev.longshore.vpnkit.flow.FlowEnd;
import dev.longshore.vpnkit.flow.HostChannel;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.ResetClose;
import dev.longshore.vpnkit.ip.GuestAddresses;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * TCP flows into the guest: the TCP half of {@link dev.longshore.vpnkit.flow.GuestConnector}. The guest sees the caller's
 * real address wherever its answer would find the way back to us.
 *
 * <p>Confined to the link's event loop.
 */
public final class GuestCalls {
    private static final Logger LOG = LoggerFactory.getLogger(GuestCalls.class);

    /** Linux ip_local_port_range. */
    private static final int FIRST_PORT = 32_768;

    private static final int PORTS = 28_232;

    /** Enough to find a free port as long as some are free. */
    private static final int PORT_ATTEMPTS = 1000;

    private final TcpStack stack;
    private final GuestAddresses addresses;
    private final RandomGenerator random;
    private boolean absenceTold;

    public GuestCalls(TcpStack stack, GuestAddresses addresses, RandomGenerator random) {
        this.stack = stack;
        this.addresses = addresses;
        this.random = random;
    }

    /** See {@link dev.longshore.vpnkit.flow.GuestConnector#forwardTcp}. */
    public void forwardTcp(DuplexChannel host, IpAddress guest, int guestPort, IpAddress source, int sourcePort) {
        assert stack.loop().inEventLoop();
        IpAddress first = addresses.first(guest, source);
        IpAddress second = addresses.second(guest, source);
        if (second == null) {
            forward(host, first, guestPort, source, sourcePort, null);
        } else {
            new Choice(host, guestPort, source, sourcePort, second).begin(first);
        }
    }

    /** {@code tried}: where nobody was found before. */
    private void forward(
            DuplexChannel host,
            IpAddress guest,
            int guestPort,
            IpAddress source,
            int sourcePort,
            @Nullable IpAddress tried) {
        TcpFlow flow = newFlow(guest, guestPort, source, sourcePort);
        if (flow == null) {
            ResetClose.close(host);
            return;
        }
        flow.openIntoGuest(() -> tell(flow, tried));
        flow.attach(HostChannel.attach(host, flow, flow::bufferForHost));
    }

    /** That the guest is not where it should be is for the user to know, once. */
    private void tell(TcpFlow flow, @Nullable IpAddress tried) {
        if (flow.ended() instanceof FlowEnd.GuestAbsent e) {
            if (!absenceTold) {
                absenceTold = true;
                LOG.warn("{}: reset, as {}{}", flow, text(e), tried == null ? "" : ", nor for " + tried);
            }
        } else if (flow.ended() == null) {
            absenceTold = false;
        }
    }

    private static String text(FlowEnd.GuestAbsent end) {
        return "nobody on the guest's network answers for " + end.address();
    }

    /**
     * A connection for which there is another address if the first one refuses. The host's end is joined to the flow once the
     * guest has answered; what the host's end says before that waits.
     */
    private final class Choice {
        private final DuplexChannel host;
        private final int guestPort;
        private final IpAddress source;
        private final int sourcePort;
        private final IpAddress second;

        Choice(DuplexChannel host, int guestPort, IpAddress source, int sourcePort, IpAddress second) {
            this.host = host;
            this.guestPort = guestPort;
            this.source = source;
            this.sourcePort = sourcePort;
            this.second = second;
        }

        void begin(IpAddress first) {
            TcpFlow flow = newFlow(first, guestPort, source, sourcePort);
            if (flow == null) {
                ResetClose.close(host);
                return;
            }
            HostChannel.holdReads(host);
            flow.openIntoGuest(() -> onAnswer(flow));
            host.closeFuture().addListener(gone -> {
                if (flow.state() == TcpState.SYN_SENT || flow.state() == TcpState.SYN_RECEIVED) {
                    flow.abort(new FlowEnd.HostGone());
                }
            });
        }

        private void onAnswer(TcpFlow flow) {
            switch (flow.ended()) {
                case null -> {
                    tell(flow, null);
                    flow.attach(HostChannel.attach(host, flow, flow::bufferForHost));
                }
                case FlowEnd.GuestAbsent e -> forward(host, second, guestPort, source, sourcePort, e.address());
                case FlowEnd.GuestRefused _, FlowEnd.GuestUnreachable _ ->
                    forward(host, second, guestPort, source, sourcePort, null);
                default -> ResetClose.close(host);
            }
        }
    }

    /** See {@link dev.longshore.vpnkit.flow.GuestConnector#connectTcp}. */
    public Future<DialResult> connectTcp(IpAddress guest, int guestPort) {
        assert stack.loop().inEventLoop();
        Promise<DialResult> promise = stack.loop().newPromise();
        connect(addresses.first(guest, guest), addresses.second(guest, guest), guestPort, promise);
        return promise;
    }

    private void connect(IpAddress guest, @Nullable IpAddress second, int guestPort, Promise<DialResult> promise) {
        TcpFlow flow = fromGateway(guest, guestPort);
        if (flow == null) {
            promise.trySuccess(new DialResult.Failed("no free flow into the guest"));
            return;
        }
        flow.openIntoGuest(() -> {
            switch (flow.ended()) {
                case null -> connected(flow, promise);
                case FlowEnd.GuestRefused _, FlowEnd.GuestUnreachable _, FlowEnd.GuestAbsent _
                when second != null && !promise.isDone() -> connect(second, null, guestPort, promise);
                case FlowEnd end -> promise.trySuccess(failure(end));
            }
        });
        promise.addListener(done -> {
            if (done.isCancelled()) {
                flow.abort(new FlowEnd.HostGone());
            }
        });
    }

    private void connected(TcpFlow flow, Promise<DialResult> promise) {
        FlowChannel channel = stack.channel(flow, null);
        flow.attach(channel.hostSide());
        if (!promise.trySuccess(new DialResult.Connected(channel))) {
            channel.close();
        }
    }

    private static DialResult failure(FlowEnd end) {
        return switch (end) {
            case FlowEnd.GuestRefused ignored -> new DialResult.Refused();
            case FlowEnd.GuestSilent ignored -> new DialResult.TimedOut();
            case FlowEnd.GuestUnreachable ignored -> new DialResult.Unreachable(false, "no route in the guest");
            case FlowEnd.GuestAbsent e -> new DialResult.Unreachable(false, text(e));
            case FlowEnd.Closed e -> new DialResult.Failed(e.toString());
            case FlowEnd.GuestReset e -> new DialResult.Failed(e.toString());
            case FlowEnd.NotConnected e -> new DialResult.Failed(e.toString());
            case FlowEnd.HostFailed e -> new DialResult.Failed(e.toString());
            case FlowEnd.HostGone e -> new DialResult.Failed(e.toString());
            case FlowEnd.Evicted e -> new DialResult.Failed(e.toString());
            case FlowEnd.LinkDown e -> new DialResult.Failed(e.toString());
            case FlowEnd.Failed e -> new DialResult.Failed(e.toString());
        };
    }

    /** From the caller itself, if the guest can answer it and the pair is free, else from the gateway; null if there is no room. */
    private @Nullable TcpFlow newFlow(IpAddress guest, int guestPort, IpAddress source, int sourcePort) {
        TcpFlow flow = addresses.mayAppear(source, guest)
                ? stack.newFlowIntoGuest(guest, guestPort, source, sourcePort)
                : null;
        return flow != null ? flow : fromGateway(guest, guestPort);
    }

    private @Nullable TcpFlow fromGateway(IpAddress guest, int guestPort) {
        IpAddress gateway = addresses.gatewayFor(guest);
        if (gateway == null) {
            return null;
        }
        int start = random.nextInt(PORTS);
        for (int i = 0; i < PORT_ATTEMPTS; i++) {
            int port = FIRST_PORT + (start + i) % PORTS;
            TcpFlow flow = stack.newFlowIntoGuest(guest, guestPort, gateway, port);
            if (flow != null) {
                return flow;
            }
        }
        return null;
    }
}
