package dev.longshore.vpnkit.hostsocket;

import dev.longshore.linux.Errno;
import dev.longshore.linux.ErrorQueue;
import dev.longshore.linux.SendBatch;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.jspecify.annotations.Nullable;

/**
 * Why a datagram of ours did not get to its remote, in the numbers of its family's ICMP: what a router or the remote said,
 * or the word for what the host's own kernel found. One object, filled again and again: valid during the call that brings
 * it. Confined to the link's event loop.
 */
public final class HostError {
    private boolean v4;
    private int type;
    private int code;
    private int info;
    private long offenderHi;
    private long offenderLo;
    private long remoteHi;
    private long remoteLo;
    private int remotePort;
    private ByteBuf payload = Unpooled.EMPTY_BUFFER;
    private int at;
    private int bytes;

    HostError() {}

    /** False if it is nothing to tell the sender. */
    boolean fill(ErrorQueue queue, boolean isV4) {
        v4 = isV4;
        remoteHi = queue.remoteHi();
        remoteLo = queue.remoteLo();
        remotePort = queue.remotePort();
        payload = queue.payload();
        at = 0;
        bytes = queue.bytes();
        if (queue.origin() == ErrorQueue.ORIGIN_ICMP || queue.origin() == ErrorQueue.ORIGIN_ICMP6) {
            type = queue.type();
            code = queue.code();
            info = queue.info();
            offenderHi = queue.offenderHi();
            offenderLo = queue.offenderLo();
            return remoteLo != 0 && isPassedOn();
        }
        return remoteLo != 0 && local(queue.errno(), queue.info());
    }

    /** False if it is nothing to tell the sender. */
    boolean fill(SendBatch batch, int i, int errno, boolean isV4) {
        v4 = isV4;
        remoteHi = batch.remoteHi(i);
        remoteLo = batch.remoteLo(i);
        remotePort = batch.remotePort(i);
        payload = batch.payload();
        at = batch.at(i);
        bytes = batch.bytes(i);
        return errno != Errno.EMSGSIZE && local(errno, 0); // that one is in the error queue, with the MTU
    }

    /** For what fails before there is a socket. */
    public static @Nullable HostError of(boolean isV4, int errno) {
        HostError e = new HostError();
        e.v4 = isV4;
        return e.local(errno, 0) ? e : null;
    }

    private boolean isPassedOn() {
        return v4
                ? type == IcmpHeader.DESTINATION_UNREACHABLE || type == IcmpHeader.TIME_EXCEEDED
                : type >= Icmpv6Header.DESTINATION_UNREACHABLE && type <= Icmpv6Header.TIME_EXCEEDED;
    }

    /** The kernel's own finding, which a router in its place would have reported so. */
    private boolean local(int errno, int mtu) {
        offenderHi = 0;
        offenderLo = 0;
        info = 0;
        type = v4 ? IcmpHeader.DESTINATION_UNREACHABLE : Icmpv6Header.DESTINATION_UNREACHABLE;
        switch (errno) {
            case Errno.EMSGSIZE -> {
                type = v4 ? IcmpHeader.DESTINATION_UNREACHABLE : Icmpv6Header.PACKET_TOO_BIG;
                code = v4 ? IcmpHeader.CODE_TOO_BIG : 0;
                info = mtu;
                return mtu > 0;
            }
            case Errno.ECONNREFUSED -> code = v4 ? IcmpHeader.CODE_PORT : Icmpv6Header.CODE_PORT;
            case Errno.ENETUNREACH -> code = v4 ? IcmpHeader.CODE_NET : Icmpv6Header.CODE_NO_ROUTE;
            case Errno.EHOSTUNREACH -> code = v4 ? IcmpHeader.CODE_HOST : Icmpv6Header.CODE_ADDRESS;
            case Errno.EACCES, Errno.EPERM ->
                code = v4 ? IcmpHeader.CODE_ADMIN_PROHIBITED : Icmpv6Header.CODE_ADMIN_PROHIBITED;
            default -> {
                return false;
            }
        }
        return true;
    }

    /** Of the ICMP message. */
    public int type() {
        return type;
    }

    public int code() {
        return code;
    }

    /** The MTU, if it was too big. */
    public int info() {
        return info;
    }

    /** True if the remote's port is closed: the remote's own word. */
    public boolean isPortClosed() {
        return v4
                ? type == IcmpHeader.DESTINATION_UNREACHABLE && code == IcmpHeader.CODE_PORT
                : type == Icmpv6Header.DESTINATION_UNREACHABLE && code == Icmpv6Header.CODE_PORT;
    }

    /** Who says so, as a host socket sees it; both halves are 0 if it is the host itself. */
    public long offenderHi() {
        return offenderHi;
    }

    public long offenderLo() {
        return offenderLo;
    }

    /** Where the datagram was to go, as a host socket sees it. */
    public long remoteHi() {
        return remoteHi;
    }

    public long remoteLo() {
        return remoteLo;
    }

    public int remotePort() {
        return remotePort;
    }

    /** As much of the datagram as is known: {@link #bytes} at {@link #at}. Borrowed. */
    public ByteBuf payload() {
        return payload;
    }

    public int at() {
        return at;
    }

    public int bytes() {
        return bytes;
    }

    @Override
    public String toString() {
        return "ICMP" + (v4 ? "" : "v6") + " type " + type + " code " + code + " about "
                + new IpAddress(remoteHi, remoteLo) + ":" + remotePort;
    }
}
