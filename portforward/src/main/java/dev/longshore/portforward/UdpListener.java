package dev.longshore.portforward;

import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.flow.GuestConnector;
import dev.longshore.vpnkit.flow.GuestConnector.UdpFlow;
import dev.longshore.vpnkit.flow.GuestConnector.UdpReplies;
import dev.longshore.vpnkit.hostsocket.HostDatagrams;
import dev.longshore.vpnkit.hostsocket.HostError;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import io.netty.channel.unix.Errors;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A UDP port of the host. Each client has its own flow into the guest, so that the container sees one source per client and
 * the same one for as long as the client talks. Answers leave from the socket and the address the client wrote to, which a
 * client on a host of several addresses insists on. Confined to the link's event loop.
 *
 * <p>No SO_REUSEADDR: with it two sockets could share a UDP port, and the second owner would be told that it has it.
 */
final class UdpListener implements HostListener, HostDatagrams.Receiver {
    private static final Logger log = LoggerFactory.getLogger(UdpListener.class);

    private final EventLoop loop;
    private final GuestConnector guest;
    private final HostDatagrams datagrams;
    private final Forward forward;
    private final HostEndpoint.Port port;
    private final Traffic traffic;
    private final Counters<PortCounter> counters;
    private final UdpFlows flows;
    private final UdpFlows.Opener opener = this::openFlow;
    private HostDatagrams.@Nullable Socket socket;
    private @Nullable ScheduledFuture<?> expiry;
    private boolean closed;

    UdpListener(
            GuestConnector guest,
            HostDatagrams datagrams,
            Forward forward,
            HostEndpoint.Port port,
            Traffic traffic,
            UdpLimits limits,
            Counters<PortCounter> counters) {
        this.loop = guest.loop();
        this.guest = guest;
        this.datagrams = datagrams;
        this.forward = forward;
        this.port = port;
        this.traffic = traffic;
        this.counters = counters;
        this.flows = new UdpFlows(limits, traffic);
    }

    @Override
    public Future<HostEndpoint> open() {
        HostDatagrams.Opened opened = datagrams.openUdp(port.address().isV4(), this);
        HostDatagrams.Socket s = opened.socket();
        if (s == null) {
            return loop.newFailedFuture(new Errors.NativeIoException("socket", -opened.errno()));
        }
        int errno = s.bind(port.address().hi(), port.address().lo(), port.port());
        if (errno != 0 || closed) {
            s.close();
            return loop.newFailedFuture(new Errors.NativeIoException("bind", -errno));
        }
        if (port.isWildcard()) {
            s.receiveLocalAddress();
        }
        socket = s;
        return loop.newSucceededFuture(port.withPort(s.localPort()));
    }

    @Override
    public void onDatagram(
            ByteBuf b,
            int at,
            int len,
            long remoteHi,
            long remoteLo,
            int remotePort,
            long localHi,
            long localLo,
            int hops) {
        traffic.bytesToGuest += len;
        UdpFlows.Client client = flows.clientOf(remoteHi, remoteLo, remotePort, now(), opener);
        client.localHi = localHi;
        client.localLo = localLo;
        scheduleExpiry();
        client.flow().sendToGuest(b, at, len);
    }

    @Override
    public void onReadComplete() {}

    /** Such as a client that has gone; its flow ends by itself. */
    @Override
    public void onError(HostError error) {
        counters.increment(PortCounter.DROPPED_CLIENT_UNREACHABLE);
        log.debug("{}: {}", forward, error);
    }

    @Override
    public void onDropped() {
        counters.increment(PortCounter.DROPPED_HOST_BUSY);
        log.trace("{}: a datagram was dropped", forward);
    }

    private UdpFlow openFlow(UdpFlows.Client client) {
        return guest.openUdp(forward.guest(), forward.guestPort(), client.address, client.port, new Replies(client));
    }

    private final class Replies implements UdpReplies {
        private final UdpFlows.Client client;

        Replies(UdpFlows.Client client) {
            this.client = client;
        }

        @Override
        public void onReply(ByteBuf b, int at, int len) {
            HostDatagrams.Socket s = socket;
            if (s != null && flows.touch(client, now())) {
                traffic.bytesFromGuest += len;
                s.send(
                        b,
                        at,
                        len,
                        client.address.hi(),
                        client.address.lo(),
                        client.port,
                        client.localHi,
                        client.localLo);
                datagrams.flushSoon();
            } else {
                counters.increment(PortCounter.DROPPED_CLIENT_FORGOTTEN);
            }
        }

        /** A socket that isn't connected can't tell its client; and the next datagram may find the service up. */
        @Override
        public void onUnreachable() {
            counters.increment(PortCounter.DROPPED_GUEST_REFUSED);
            log.trace("{}: unreachable for {}", forward, client.address);
        }
    }

    private void scheduleExpiry() {
        if (expiry == null) {
            long nanos = flows.nextExpiry(now());
            if (nanos >= 0) {
                expiry = loop.schedule(this::expire, nanos, TimeUnit.NANOSECONDS);
            }
        }
    }

    private void expire() {
        expiry = null;
        flows.expire(now());
        scheduleExpiry();
    }

    private long now() {
        return loop.ticker().nanoTime();
    }

    @Override
    public void close() {
        closed = true;
        HostDatagrams.Socket s = socket;
        if (s != null) {
            s.close();
            socket = null;
        }
        flows.closeAll();
        if (expiry != null) {
            expiry.cancel(false);
            expiry = null;
        }
    }

    /** A UDP socket has no way to die. */
    @Override
    public String trouble() {
        return "";
    }
}
