package dev.longshore.vpnkit.udp;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.socket.DatagramPacket;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * One port of the guest and its port on the host: what the guest sends from the one leaves from the other, to any remote,
 * and any remote may answer there (RFC 4787: endpoint-independent mapping and filtering). Confined to the link's event
 * loop.
 *
 * <p>Theory of operation: most ports talk to one remote only, so the first socket is connected to it, and the kernel tells
 * us when that remote refuses (an unconnected socket would never hear of it). With the second remote, an unconnected
 * socket joins on the same host port by SO_REUSEPORT; the kernel prefers the connected one for its remote.
 */
final class UdpFlow {
    final long key;
    final long guestHi;
    final long guestLo;
    final int guestPort;
    final int firstRemote;
    final int firstRemotePort;
    final Channel connected;
    private @Nullable Channel open;
    private boolean openFailed;
    private InetSocketAddress lastRemote;
    private int lastRemoteBits;
    private int lastRemotePort;

    /** Payload of the last datagram to {@link #firstRemote}, for the quote in an ICMP error. */
    int lastBytes;

    /** Datagrams and their payload. */
    long sent;

    long received;
    long sentBytes;
    long receivedBytes;

    final long openedAt;
    long lastActive;
    boolean dirty;

    /** The flows in the order of their last use. */
    @Nullable
    UdpFlow older;

    @Nullable
    UdpFlow newer;

    UdpFlow(
            long key,
            long guestHi,
            long guestLo,
            int guestPort,
            int remote,
            int remotePort,
            InetSocketAddress hostRemote,
            Channel connected,
            long openedAt) {
        this.key = key;
        this.guestHi = guestHi;
        this.guestLo = guestLo;
        this.guestPort = guestPort;
        this.firstRemote = remote;
        this.firstRemotePort = remotePort;
        this.connected = connected;
        this.openedAt = openedAt;
        this.lastRemote = hostRemote;
        this.lastRemoteBits = remote;
        this.lastRemotePort = remotePort;
    }

    /** Writes one datagram without flushing. Borrows. False if the host has no room or no socket for it. */
    boolean write(ByteBuf b, int at, int len, int remote, int remotePort, HostUdp sockets) {
        if (remote == firstRemote && remotePort == firstRemotePort) {
            if (!connected.isWritable()) {
                return false;
            }
            lastBytes = len;
            connected.write(b.retainedSlice(at, len), connected.voidPromise()); // kept until it is written
            return true;
        }
        Channel socket = openSocket(sockets);
        if (socket == null || !socket.isWritable()) {
            return false;
        }
        if (remote != lastRemoteBits || remotePort != lastRemotePort) {
            lastRemote = new InetSocketAddress(sockets.toHost(remote), remotePort);
            lastRemoteBits = remote;
            lastRemotePort = remotePort;
        }
        socket.write(new DatagramPacket(b.retainedSlice(at, len), lastRemote), socket.voidPromise());
        return true;
    }

    private @Nullable Channel openSocket(HostUdp sockets) {
        Channel socket = open;
        if (socket == null && !openFailed) {
            socket = sockets.openBeside(this);
            open = socket;
            openFailed = socket == null;
        }
        return socket;
    }

    void flush() {
        dirty = false;
        connected.flush();
        Channel socket = open;
        if (socket != null) {
            socket.flush();
        }
    }

    void close() {
        connected.close();
        Channel socket = open;
        if (socket != null) {
            socket.close();
        }
    }

    /** {@code state}: "asking" until something came back, then "answered". */
    FlowSnapshot snapshot(long now) {
        return FlowSnapshot.ofDatagrams(
                new IpAddress(guestHi, guestLo),
                guestPort,
                IpAddress.v4(firstRemote),
                firstRemotePort,
                false,
                received == 0 ? "asking" : "answered",
                sentBytes,
                receivedBytes,
                openedAt,
                now);
    }

    @Override
    public String toString() {
        return "udp " + new IpAddress(guestHi, guestLo) + ":" + guestPort + " > " + IpAddress.v4(firstRemote) + ":"
                + firstRemotePort;
    }
}
