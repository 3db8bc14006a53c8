package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.FlowChannel;
import dev.longshore.vpnkit.flow.FlowEnd;
import dev.longshore.vpnkit.flow.HostChannel;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import dev.longshore.vpnkit.hostsocket.ResetClose;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * TCP flows into the guest: the TCP half of {@link dev.longshore.vpnkit.flow.GuestConnector}. The guest sees the caller's
 * real address wherever its answer would find the way back to us.
 *
 * <p>Confined to the link's event loop.
 */
public final class GuestCalls {
    /** Linux ip_local_port_range. */
    private static final int FIRST_PORT = 32_768;

    private static final int PORTS = 28_232;

    /** Enough to find a free port as long as some are free. */
    private static final int PORT_ATTEMPTS = 1000;

    private final TcpStack stack;
    private final OwnAddresses own;
    private final IpAddress gatewayV4;
    private final @Nullable IpAddress gatewayV6;
    private final RandomGenerator random;

    /** {@code gatewayV6}: null if the guest has no IPv6. */
    public GuestCalls(
            TcpStack stack,
            OwnAddresses own,
            IpAddress gatewayV4,
            @Nullable IpAddress gatewayV6,
            RandomGenerator random) {
        this.stack = stack;
        this.own = own;
        this.gatewayV4 = gatewayV4;
        this.gatewayV6 = gatewayV6;
        this.random = random;
    }

    /** See {@link dev.longshore.vpnkit.flow.GuestConnector#forwardTcp}. */
    public void forwardTcp(DuplexChannel host, IpAddress guest, int guestPort, IpAddress source, int sourcePort) {
        assert stack.loop().inEventLoop();
        TcpFlow flow = isTellable(source, guest) ? stack.newFlowIntoGuest(guest, guestPort, source, sourcePort) : null;
        if (flow == null) {
            flow = fromGateway(guest, guestPort);
        }
        if (flow == null) {
            ResetClose.close(host);
            return;
        }
        flow.openIntoGuest(null);
        flow.attach(HostChannel.attach(host, flow, flow::bufferForHost));
    }

    /** See {@link dev.longshore.vpnkit.flow.GuestConnector#connectTcp}. */
    public Future<DialResult> connectTcp(IpAddress guest, int guestPort) {
        assert stack.loop().inEventLoop();
        Promise<DialResult> promise = stack.loop().newPromise();
        TcpFlow flow = fromGateway(guest, guestPort);
        if (flow == null) {
            return promise.setSuccess(new DialResult.Failed("no free flow into the guest"));
        }
        flow.openIntoGuest(() -> {
            FlowEnd end = flow.ended();
            if (end != null) {
                promise.trySuccess(failure(end));
                return;
            }
            FlowChannel channel = stack.channel(flow, null);
            flow.attach(channel.hostSide());
            if (!promise.trySuccess(new DialResult.Connected(channel))) {
                channel.close();
            }
        });
        promise.addListener(done -> {
            if (done.isCancelled()) {
                flow.abort(new FlowEnd.HostGone());
            }
        });
        return promise;
    }

    private static DialResult failure(FlowEnd end) {
        return switch (end) {
            case FlowEnd.GuestRefused ignored -> new DialResult.Refused();
            case FlowEnd.GuestSilent ignored -> new DialResult.TimedOut();
            case FlowEnd.GuestUnreachable ignored -> new DialResult.Unreachable(false, "no route in the guest");
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

    /** True if the guest would send its answers to {@code source} to us, and not to itself or to nobody. */
    private boolean isTellable(IpAddress source, IpAddress guest) {
        return source.isV4() == guest.isV4()
                && !source.equals(guest)
                && !source.isLoopback()
                && !source.toInetAddress().isAnyLocalAddress()
                && !source.toInetAddress().isMulticastAddress()
                && !source.toInetAddress().isLinkLocalAddress()
                && !own.isInGuestNetwork(source);
    }

    private @Nullable TcpFlow fromGateway(IpAddress guest, int guestPort) {
        IpAddress gateway = guest.isV4() ? gatewayV4 : gatewayV6;
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
