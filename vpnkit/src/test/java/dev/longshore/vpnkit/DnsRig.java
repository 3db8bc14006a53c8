package dev.longshore.vpnkit;

import dev.longshore.testkit.GuestEnd;
import dev.longshore.vpnkit.icmp.PingSockets;
import dev.longshore.vpnkit.udp.UdpLimits;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.TextParseException;

/** The name server of a network, its guest and its resolvers in one thread; messages are dnsjava's, which is another's work. */
final class DnsRig implements AutoCloseable {
    final List<FakeResolver> resolvers = new ArrayList<>();
    final TestNetwork net;
    final GuestEnd guest;

    DnsRig(int resolverCount) {
        this(resolverCount, null);
    }

    DnsRig(int resolverCount, @Nullable Path hosts) {
        List<InetSocketAddress> addresses = new ArrayList<>();
        for (int i = 0; i < resolverCount; i++) {
            FakeResolver r = new FakeResolver();
            resolvers.add(r);
            addresses.add(r.address());
        }
        net = new TestNetwork(
                UdpLimits.standard(), addresses, PingSockets.none(), Path.of("/nonexistent/resolv.conf"), hosts);
        guest = net.guest;
    }

    FakeResolver resolver() {
        return resolvers.getFirst();
    }

    static Name name(String text) {
        try {
            return Name.fromString(text, Name.root);
        } catch (TextParseException e) {
            throw new IllegalArgumentException(e);
        }
    }

    static Message query(String name, int type) {
        return Message.newQuery(Record.newRecord(name(name), type, DClass.IN));
    }

    /** The same with OPT. */
    static Message edns(String name, int type, int payload, boolean dnssecOk) {
        Message m = query(name, type);
        m.addRecord(new OPTRecord(payload, 0, 0, dnssecOk ? org.xbill.DNS.ExtendedFlags.DO : 0), Section.ADDITIONAL);
        return m;
    }

    void send(byte[] query) {
        guest.sendUdp(5353, GuestEnd.DNS, 53, query);
    }

    void send(Message query) {
        send(query.toWire());
    }

    private void serve() {
        resolvers.forEach(FakeResolver::serve);
    }

    byte[] receive() {
        net.loop.runUntil(
                () -> {
                    serve();
                    return guest.hasReceived();
                },
                "an answer at the guest");
        return ByteBufUtil.getBytes(guest.receiveUdp().payload());
    }

    /** What comes in {@code time}, which the network has. */
    byte[] receive(Duration time) {
        pass(time);
        return receive();
    }

    static Message parse(byte[] bytes) {
        try {
            return new Message(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Message ask(Message query) {
        return parse(ask(query.toWire()));
    }

    byte[] ask(byte[] query) {
        guest.clearReceived(); // advertisements of the router
        send(query);
        return receive();
    }

    Message ask(String name, int type) {
        return ask(query(name, type));
    }

    /** Lets {@code time} pass while the resolvers answer. */
    void pass(Duration time) {
        serve();
        net.loop.advance(time);
        serve();
        net.loop.runDue();
    }

    /** The resolvers have this many questions. */
    void awaitAsked(FakeResolver r, int count) {
        net.loop.runUntil(
                () -> {
                    serve();
                    return r.asked.size() >= count;
                },
                count + " questions at a resolver");
    }

    EmbeddedChannel tcp() {
        return new EmbeddedChannel(net.network.dns().tcpInitializer());
    }

    static void sendTcp(EmbeddedChannel channel, Message query) {
        byte[] wire = query.toWire();
        channel.writeInbound(Unpooled.directBuffer().writeShort(wire.length).writeBytes(wire));
    }

    Message receiveTcp(EmbeddedChannel channel) {
        return parse(receiveTcpBytes(channel));
    }

    byte[] receiveTcpBytes(EmbeddedChannel channel) {
        ByteBuf all = Unpooled.buffer();
        net.loop.runUntil(
                () -> {
                    serve();
                    for (ByteBuf b = channel.readOutbound(); b != null; b = channel.readOutbound()) {
                        all.writeBytes(b);
                        b.release();
                    }
                    return all.readableBytes() >= 2 && all.readableBytes() >= 2 + all.getUnsignedShort(0);
                },
                "an answer by TCP");
        byte[] bytes = new byte[all.readUnsignedShort()];
        all.readBytes(bytes);
        return bytes;
    }

    Message askTcp(Message query) {
        EmbeddedChannel channel = tcp();
        sendTcp(channel, query);
        Message m = receiveTcp(channel);
        channel.finishAndReleaseAll();
        return m;
    }

    long count(String metric, String tag) {
        return net.count(metric, tag);
    }

    @Override
    public void close() {
        net.close();
        resolvers.forEach(FakeResolver::close);
    }
}
