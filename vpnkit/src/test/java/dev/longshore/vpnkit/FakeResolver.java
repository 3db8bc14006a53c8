package dev.longshore.vpnkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.xbill.DNS.ARecord;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/** A resolver of the host on a port of loopback, UDP and TCP, that says what a test tells it; served by the test's own thread. */
final class FakeResolver implements AutoCloseable {
    private final DatagramChannel udp;
    private final ServerSocketChannel tcp;
    private final List<SocketChannel> connections = new ArrayList<>();
    private final List<ByteBuffer> inputs = new ArrayList<>();

    /** All questions, in order. */
    final List<Message> asked = new ArrayList<>();

    /** Ports that they came from, by UDP. */
    final List<Integer> ports = new ArrayList<>();

    int accepted;

    /** Messages that were none. */
    int unreadable;

    /** Null is silence. A message's id is set here. */
    Function<Message, @Nullable Message> says = FakeResolver::one;

    /** Puts bytes in place of an answer; null leaves it. */
    @Nullable
    Function<byte[], byte[]> garbles;

    /** What is sent for a question as it came, in place of an answer: a datagram, or bytes of TCP's stream. Null leaves it. */
    @Nullable
    Function<byte[], byte[]> raw;

    /** One at an address of this machine that {@code wanted} takes; an address may be on its way, or on its way out. */
    static Optional<FakeResolver> at(Predicate<InetAddress> wanted) {
        try {
            for (InetAddress a : NetworkInterface.networkInterfaces()
                    .flatMap(NetworkInterface::inetAddresses)
                    .filter(wanted)
                    .toList()) {
                try {
                    return Optional.of(new FakeResolver(a));
                } catch (UncheckedIOException e) {
                    // not that one
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Optional.empty();
    }

    FakeResolver() {
        this(InetAddress.getLoopbackAddress());
    }

    FakeResolver(InetAddress at) {
        try {
            udp = DatagramChannel.open();
            tcp = ServerSocketChannel.open();
            bindBoth(at);
            udp.configureBlocking(false);
            tcp.configureBlocking(false);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** To one port: the kernel gives one that is free in TCP, and which in UDP somebody may have. */
    private void bindBoth(InetAddress at) throws IOException {
        tcp.bind(new InetSocketAddress(at, 0));
        udp.bind(tcp.getLocalAddress());
    }

    InetSocketAddress address() {
        try {
            return (InetSocketAddress) udp.getLocalAddress();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** 192.0.2.1 for every A question, nothing for others. */
    static Message one(Message query) {
        Record q = query.getQuestion();
        Message m = answer(query);
        if (q.getType() == Type.A) {
            m.addRecord(a(q.getName(), 60, 0xC000_0201), Section.ANSWER);
        }
        return m;
    }

    static ARecord a(Name name, long ttl, int address) {
        return new ARecord(
                name, DClass.IN, ttl, ByteBuffer.allocate(4).putInt(address).array());
    }

    /** An empty answer to a question, as a resolver gives it. */
    static Message answer(Message query) {
        Message m = new Message(query.getHeader().getID());
        m.getHeader().setFlag(Flags.QR);
        m.getHeader().setFlag(Flags.RA);
        if (query.getHeader().getFlag(Flags.RD)) {
            m.getHeader().setFlag(Flags.RD);
        }
        m.addRecord(query.getQuestion(), Section.QUESTION);
        return m;
    }

    /** Answers what has come. */
    void serve() {
        if (!udp.isOpen()) {
            return;
        }
        try {
            ByteBuffer b = ByteBuffer.allocate(4096);
            for (SocketAddress from = udp.receive(b); from != null; from = udp.receive(b)) {
                b.flip();
                byte[] query = new byte[b.remaining()];
                b.get(query);
                b.clear();
                ports.add(((InetSocketAddress) from).getPort());
                byte[] answer = reply(query);
                if (answer.length > 0) {
                    udp.send(ByteBuffer.wrap(answer), from);
                }
            }
            for (SocketChannel c = tcp.accept(); c != null; c = tcp.accept()) {
                c.configureBlocking(false);
                accepted++;
                connections.add(c);
                inputs.add(ByteBuffer.allocate(70_000));
            }
            for (int i = 0; i < connections.size(); i++) {
                serve(connections.get(i), inputs.get(i));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void serve(SocketChannel c, ByteBuffer in) throws IOException {
        if (!c.isOpen() || c.read(in) < 0) {
            return;
        }
        in.flip();
        while (in.remaining() >= 2 && in.remaining() >= 2 + (in.getShort(in.position()) & 0xFFFF)) {
            byte[] query = new byte[in.getShort() & 0xFFFF];
            in.get(query);
            byte[] answer = reply(query);
            if (answer.length > 0) {
                ByteBuffer out = ByteBuffer.allocate(2 + answer.length);
                if (raw == null) {
                    out.putShort((short) answer.length);
                }
                out.put(answer).flip();
                write(c, out);
            }
        }
        in.compact();
    }

    /** Whoever says anything is hung up on. */
    private void write(SocketChannel c, ByteBuffer out) throws IOException {
        try {
            while (out.hasRemaining()) {
                c.write(out);
            }
        } catch (IOException e) {
            if (raw == null) {
                throw e;
            }
            c.close();
        }
    }

    /** Nothing to what no record can be read from: a guest's bytes behind the question cross as they are. */
    private byte[] reply(byte[] query) {
        Message q;
        try {
            q = new Message(query);
        } catch (IOException e) {
            unreadable++;
            return new byte[0];
        }
        asked.add(q);
        Function<byte[], byte[]> bytesOf = raw;
        if (bytesOf != null) {
            return bytesOf.apply(query);
        }
        Message answer = says.apply(q);
        if (answer == null) {
            return new byte[0];
        }
        answer.getHeader().setID(q.getHeader().getID());
        byte[] bytes = answer.toWire(65_535);
        Function<byte[], byte[]> g = garbles;
        return g == null ? bytes : g.apply(bytes);
    }

    /** The resolver's ends of all TCP connections. */
    void hangUp() {
        try {
            for (SocketChannel c : connections) {
                c.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        connections.clear();
        inputs.clear();
    }

    @Override
    public void close() {
        hangUp();
        try {
            udp.close();
            tcp.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
