package dev.longshore.backend;

import dev.longshore.config.AddressPlan;
import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.DhcpMessage;
import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.packet.wire.TcpOptions;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.vpnkit.NetworkConfig;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.function.IntPredicate;

/** A guest of few words on QEMU's stream socket, for {@link Rehearsal}. Blocks; one thread. */
final class RehearsalGuest implements AutoCloseable {
    private static final int TTL = 64;
    private static final int MSS = 1460;
    private static final int WINDOW = 0xFFFF;
    private static final int DNS_PORT = 53;
    private static final int TRANSPORT_AT = EthernetHeader.BYTES + Ipv4Header.MIN_BYTES;
    private static final long BROADCAST = 0xFFFF_FFFF_FFFFL;

    private final SocketChannel socket;
    private final int address;
    private final int gateway;
    private final int dns;
    private final int host;
    private final ByteBuf in = Unpooled.buffer(1 << 17);
    private final ByteBuf frame = Unpooled.buffer(2048);
    private long gatewayMac = BROADCAST;

    RehearsalGuest(Path path, AddressPlan plan) throws IOException {
        socket = SocketChannel.open(UnixDomainSocketAddress.of(path));
        address = IpAddress.of(plan.guest()).v4Bits();
        gateway = IpAddress.of(plan.gateway()).v4Bits();
        dns = IpAddress.of(plan.dns()).v4Bits();
        host = IpAddress.of(plan.host()).v4Bits();
    }

    void resolvesTheGateway() throws IOException {
        ByteBuf b = Unpooled.buffer();
        EthernetHeader.write(b, BROADCAST, NetworkConfig.GUEST_MAC, EthernetHeader.TYPE_ARP);
        ArpPacket.write(b, ArpPacket.REQUEST, NetworkConfig.GUEST_MAC, address, 0, gateway);
        send(b);
        receive(EthernetHeader.TYPE_ARP, at -> true);
        gatewayMac = EthernetHeader.source(frame, 0);
    }

    void leasesAnAddress() throws IOException {
        for (int type : new int[] {DhcpMessage.DISCOVER, DhcpMessage.REQUEST}) {
            ByteBuf b = Unpooled.buffer();
            DhcpMessage.write(b, DhcpMessage.BOOT_REQUEST, type, true, 0, 0, 0, 0, NetworkConfig.GUEST_MAC);
            DhcpMessage.writeByteOption(b, DhcpMessage.OPTION_MESSAGE_TYPE, type);
            DhcpMessage.writeIntOption(b, DhcpMessage.OPTION_REQUESTED_ADDRESS, address);
            DhcpMessage.writeEnd(b, 0);
            datagram(0, DhcpMessage.CLIENT_PORT, -1, DhcpMessage.SERVER_PORT, b);
            receiveUdp(DhcpMessage.SERVER_PORT);
        }
    }

    void asksForAName(String name) throws IOException {
        ByteBuf b = Unpooled.buffer();
        DnsMessage.writeQueryHeader(b, 1);
        DnsMessage.writeQuestion(b, name, DnsMessage.TYPE_A);
        datagram(address, 5353, dns, DNS_PORT, b);
        receiveUdp(DNS_PORT);
    }

    /** A connection to the host: one byte there, all that comes back, an end each way. */
    void talksTo(int port, int from) throws IOException {
        int seq = 0;
        segment(from, port, seq++, 0, TcpHeader.SYN, 0);
        receiveTcp(from);
        int ack = TcpHeader.seq(frame, TRANSPORT_AT) + 1;
        segment(from, port, seq, ack, TcpHeader.ACK, 0);
        segment(from, port, seq++, ack, TcpHeader.ACK | TcpHeader.PSH, 1);
        boolean over = false;
        while (!over) {
            receiveTcp(from);
            int len = Ipv4Header.totalLength(frame, EthernetHeader.BYTES) - Ipv4Header.MIN_BYTES;
            if ((TcpHeader.flags(frame, TRANSPORT_AT) & TcpHeader.RST) != 0) {
                throw new IOException("reset");
            }
            int bytes = TcpHeader.segLen(frame, TRANSPORT_AT, len);
            over = (TcpHeader.flags(frame, TRANSPORT_AT) & TcpHeader.FIN) != 0;
            if (bytes > 0 && TcpHeader.seq(frame, TRANSPORT_AT) == ack) {
                ack += bytes;
                segment(from, port, seq, ack, TcpHeader.ACK | (over ? TcpHeader.FIN : 0), 0);
            }
        }
        int end = seq + 1;
        receive(
                EthernetHeader.TYPE_IPV4,
                at -> isTo(from, IpProtocol.TCP) && TcpHeader.ack(frame, TRANSPORT_AT) == end);
    }

    // ---- sending

    private void segment(int from, int to, int seq, int ack, int flags, int payloadBytes) throws IOException {
        ByteBuf b = Unpooled.buffer();
        TcpHeader.write(b, from, to, seq, ack, flags, WINDOW);
        if ((flags & TcpHeader.SYN) != 0) {
            TcpOptions.writeMss(b, MSS);
            TcpHeader.finishHeader(b, 0);
        }
        b.writeZero(payloadBytes);
        IpAddress source = IpAddress.v4(address);
        IpAddress destination = IpAddress.v4(host);
        long pseudo = Checksum.pseudoHeader(
                source.hi(), source.lo(), destination.hi(), destination.lo(), IpProtocol.TCP, b.writerIndex());
        TcpHeader.setChecksum(b, 0, Checksum.finish(pseudo + Checksum.sum(b, 0, b.writerIndex())));
        packet(IpProtocol.TCP, address, host, b);
    }

    /** Without a checksum, which IPv4 allows. */
    private void datagram(int source, int from, int destination, int to, ByteBuf payload) throws IOException {
        ByteBuf b = Unpooled.buffer();
        UdpHeader.write(b, from, to, UdpHeader.BYTES + payload.readableBytes());
        b.writeBytes(payload);
        packet(IpProtocol.UDP, source, destination, b);
    }

    private void packet(int protocol, int source, int destination, ByteBuf transport) throws IOException {
        ByteBuf b = Unpooled.buffer();
        EthernetHeader.write(b, gatewayMac, NetworkConfig.GUEST_MAC, EthernetHeader.TYPE_IPV4);
        Ipv4Header.write(b, protocol, TTL, Ipv4Header.DF, source, destination);
        Ipv4Header.complete(b, EthernetHeader.BYTES, Ipv4Header.MIN_BYTES + transport.readableBytes());
        send(b.writeBytes(transport));
    }

    private void send(ByteBuf b) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(4 + b.readableBytes());
        bytes.putInt(b.readableBytes()).put(b.nioBuffer()).flip();
        while (bytes.hasRemaining()) {
            socket.write(bytes);
        }
    }

    // ---- receiving

    private void receiveUdp(int sourcePort) throws IOException {
        receive(
                EthernetHeader.TYPE_IPV4,
                at -> Ipv4Header.protocol(frame, at) == IpProtocol.UDP
                        && frame.getUnsignedShort(TRANSPORT_AT) == sourcePort);
    }

    private void receiveTcp(int port) throws IOException {
        receive(EthernetHeader.TYPE_IPV4, at -> isTo(port, IpProtocol.TCP));
    }

    private boolean isTo(int port, int protocol) {
        return Ipv4Header.protocol(frame, EthernetHeader.BYTES) == protocol
                && frame.getUnsignedShort(TRANSPORT_AT + 2) == port;
    }

    /** Reads up to the first frame of that type that fits; it is in {@link #frame} then. */
    private void receive(int type, IntPredicate fits) throws IOException {
        do {
            next();
        } while (EthernetHeader.type(frame, 0) != type || !fits.test(EthernetHeader.BYTES));
    }

    private void next() throws IOException {
        want(4);
        int bytes = in.readInt();
        want(bytes);
        frame.clear().writeBytes(in, bytes);
    }

    private void want(int bytes) throws IOException {
        while (in.readableBytes() < bytes) {
            in.discardReadBytes();
            ByteBuffer room = in.nioBuffer(in.writerIndex(), in.writableBytes());
            int n = socket.read(room);
            if (n < 0) {
                throw new IOException("the network closed its socket");
            }
            in.writerIndex(in.writerIndex() + n);
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
