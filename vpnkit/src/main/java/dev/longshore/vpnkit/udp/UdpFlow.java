package dev.longshore.vpnkit.udp;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.vpnkit.flow.FlowOwner;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.hostsocket.EgressGate;
import dev.longshore.vpnkit.hostsocket.EgressMemory;
import dev.longshore.vpnkit.hostsocket.HostDatagrams;
import dev.longshore.vpnkit.hostsocket.HostError;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * One port of the guest and its port on the host: what the guest sends from the one leaves from the other, to any remote,
 * and any remote may answer there (RFC 4787: endpoint-independent mapping and filtering). Confined to the link's event
 * loop.
 *
 * <p>Theory of operation: one socket, not connected. Connected ones are the usual way to hear that a remote refuses, but the
 * error queue brings that, and what routers say, for every remote.
 */
final class UdpFlow implements HostDatagrams.Receiver {
    final long guestHi;
    final long guestLo;
    final int guestPort;
    final long openedAt;
    final EgressMemory egress = new EgressMemory();
    private final UdpLayer layer;
    private final long firstRemoteHi;
    private final long firstRemoteLo;
    private final int firstRemotePort;
    private HostDatagrams.@Nullable Socket socket;
    private FlowOwner owner = FlowOwner.nobody();

    /** Datagrams and their payload. */
    long sent;

    long received;
    long sentBytes;
    long receivedBytes;
    long lastActive;

    /** The flows in the order of their last use. */
    @Nullable
    UdpFlow older;

    @Nullable
    UdpFlow newer;

    UdpFlow(
            UdpLayer layer,
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort,
            long openedAt) {
        this.layer = layer;
        this.guestHi = guestHi;
        this.guestLo = guestLo;
        this.guestPort = guestPort;
        this.firstRemoteHi = remoteHi;
        this.firstRemoteLo = remoteLo;
        this.firstRemotePort = remotePort;
        this.openedAt = openedAt;
    }

    /** Once, before anything is sent. */
    void use(HostDatagrams.Socket hostSocket, FlowOwner whose) {
        socket = hostSocket;
        owner = whose;
    }

    /** See {@link HostDatagrams.Socket}: {@code hi} and {@code lo} are the remote as the host sees it. */
    void send(
            ByteBuf b, int at, int len, long hi, long lo, int port, int hops, int trafficClass, boolean dontFragment) {
        HostDatagrams.Socket s = socket;
        if (s != null) {
            s.travel(hops, trafficClass, dontFragment);
            s.send(b, at, len, hi, lo, port, 0, 0);
            sent++;
            sentBytes += len;
            owner.countFromGuest(len);
        }
    }

    /** The port of the first remote says what the flow is for. */
    boolean isTo(int port) {
        return firstRemotePort == port;
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
        layer.onFromHost(this, b, at, len, remoteHi, remoteLo, remotePort);
    }

    @Override
    public void onReadComplete() {
        layer.onReadComplete();
    }

    @Override
    public void onError(HostError error) {
        layer.onHostError(this, error);
    }

    @Override
    public void onDropped() {
        layer.onDropped();
    }

    /** Of its last remote, now. */
    boolean isDenied(EgressGate gate, long now) {
        return egress.isDenied(
                gate, IpProtocol.UDP, guestHi, guestLo, firstRemoteHi, firstRemoteLo, firstRemotePort, now);
    }

    void close() {
        HostDatagrams.Socket s = socket;
        if (s != null) {
            s.close();
        }
        owner.end();
    }

    FlowOwner owner() {
        return owner;
    }

    void countToGuest(int bytes) {
        owner.countToGuest(bytes);
    }

    /** {@code state}: "asking" until something came back, then "answered". */
    FlowSnapshot snapshot(long now) {
        return FlowSnapshot.ofDatagrams(
                IpProtocol.UDP,
                new IpAddress(guestHi, guestLo),
                guestPort,
                new IpAddress(firstRemoteHi, firstRemoteLo),
                firstRemotePort,
                null,
                false,
                received == 0 ? "asking" : "answered",
                sentBytes,
                receivedBytes,
                openedAt,
                now,
                owner.identity());
    }

    @Override
    public String toString() {
        return "udp " + new IpAddress(guestHi, guestLo) + ":" + guestPort + " > "
                + new IpAddress(firstRemoteHi, firstRemoteLo) + ":" + firstRemotePort;
    }
}
