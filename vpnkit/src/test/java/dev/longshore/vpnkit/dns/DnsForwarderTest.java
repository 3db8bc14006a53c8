package dev.longshore.vpnkit.dns;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.DnsOpt;
import dev.longshore.testkit.VirtualLoop;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ip.Families;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.udp.UdpOutput;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.ResourceLeakDetector;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A last resort, and the ways to it. */
class DnsForwarderTest {
    private static final Counters<DnsCounter> COUNTERS = new Counters<>(DnsCounter.class);

    private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    private final List<DnsExplanation> told = new ArrayList<>();
    private DatagramChannel stub;
    private DatagramChannel behind;

    @BeforeEach
    void open() throws IOException {
        stub = resolver("127.0.0.53");
        behind = resolver("127.0.0.1");
    }

    private static DatagramChannel resolver(String address) throws IOException {
        DatagramChannel channel = DatagramChannel.open().bind(new InetSocketAddress(InetAddress.ofLiteral(address), 0));
        channel.configureBlocking(false);
        return channel;
    }

    @AfterEach
    void close() throws IOException {
        stub.close();
        behind.close();
        loop.close();
    }

    @SuppressWarnings("NullAway") // nobody asks by UDP
    private static UdpOutput none() {
        return null;
    }

    private DnsServer server() throws IOException {
        Resolvers resolvers =
                Resolvers.fixed(List.of((InetSocketAddress) stub.getLocalAddress()), List.of((InetSocketAddress)
                        behind.getLocalAddress()));
        IpPlan plan = IpPlan.standard();
        AddressFilter filter = new AddressFilter(new Families(plan), () -> true, () -> true, () -> 0);
        ToldNames names = new ToldNames(() -> 0);
        DnsForwarder forwarder = new DnsForwarder(loop, resolvers, filter, names, loop.clock()::nanos, COUNTERS);
        HostsFile hosts = HostsFile.of(null, plan, loop, () -> 0);
        return DnsServer.of(plan, loop, hosts, filter, forwarder, names, none(), ByteBufAllocator.DEFAULT, COUNTERS);
    }

    /** One question, answered with {@code rcode}; -1 for none. */
    private static int serve(DatagramChannel channel, int rcode) {
        try {
            ByteBuffer b = ByteBuffer.allocate(512);
            SocketAddress from = channel.isOpen() ? channel.receive(b) : null;
            if (from == null) {
                return 0;
            }
            if (rcode >= 0) {
                b.flip();
                b.putShort(2, (short) (DnsMessage.FLAG_RESPONSE | rcode));
                channel.send(b, from);
            }
            return 1;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private DnsExplanation explain(String name, int stubs) throws IOException {
        DnsServer server = server();
        server.explain(name, DnsMessage.TYPE_A, told::add);
        int[] asked = new int[1];
        loop.runUntil(
                () -> {
                    serve(stub, stubs);
                    asked[0] += serve(behind, DnsMessage.RCODE_OK);
                    return !told.isEmpty();
                },
                "an answer");
        server.forwarder().close();
        return told.getFirst();
    }

    @Test
    void stubThatAnswers_isTheOnlyOneThatIsAsked() throws IOException {
        assertThat(explain("a.test", DnsMessage.RCODE_OK).from()).startsWith("127.0.0.53:");
        told.clear();
        assertThat(explain("b.test", DnsMessage.RCODE_SERVFAIL).rcode()).isEqualTo("SERVFAIL");
        assertThat(serve(behind, -1))
                .as("what it says of a VPN's name is right")
                .isZero();
    }

    @Test
    void stubThatIsNotThere_theOneBehindItIsAsked() throws IOException {
        DatagramChannel gone = stub;
        DnsServer server = server();
        gone.close();
        server.explain("a.test", DnsMessage.TYPE_A, told::add);
        loop.runUntil(
                () -> {
                    serve(behind, DnsMessage.RCODE_OK);
                    return !told.isEmpty();
                },
                "an answer");
        assertThat(told.getFirst().from()).startsWith("127.0.0.1:");
        assertThat(told.getFirst().steps()).anyMatch(s -> s.contains("last resort"));

        told.clear();
        server.explain("printer.local", DnsMessage.TYPE_A, told::add);
        loop.runUntil(() -> !told.isEmpty(), "an answer");
        assertThat(told.getFirst().rcode()).isEqualTo("SERVFAIL");
        assertThat(serve(behind, -1))
                .as("of names of the link it hears nothing")
                .isZero();
        server.forwarder().close();
    }

    /**
     * What a kept answer costs by UDP: the question and its name, which the policy and the hosts file are asked by, and the buffer's
     * handle. Nothing that grows with the answer.
     */
    @Test
    void keptAnswer_allocatesLittle() throws IOException {
        ResourceLeakDetector.Level level = ResourceLeakDetector.getLevel();
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED); // it allocates for each access
        long small;
        long large;
        try {
            small = leastAllocated(10);
            large = leastAllocated(1000);
        } finally {
            ResourceLeakDetector.setLevel(level);
        }
        assertThat(small).isLessThanOrEqualTo(512);
        assertThat(large).isLessThanOrEqualTo(small + 16);
    }

    /** Bytes for one question, of the cheapest round. */
    private long leastAllocated(int recordBytes) throws IOException {
        DnsServer server = server();
        ByteBuf q = Unpooled.buffer();
        DnsMessage.writeQueryHeader(q, 7);
        DnsMessage.writeQuestion(q, "kept.example.test", DnsMessage.TYPE_TXT);
        int questionBytes = q.readableBytes() - DnsMessage.HEADER_BYTES;
        DnsOpt.finish(q, DnsOpt.begin(q, 4096, 0, false));
        q.setShort(10, 1);
        int[] answered = new int[1];
        DnsAnswers counts = m -> {
            assertThat(m.readableBytes()).isGreaterThan(recordBytes);
            m.release();
            answered[0]++;
        };
        server.query(q, 0, q.readableBytes(), false, 0, 0, counts);
        loop.runUntil(
                () -> {
                    serveText(stub, questionBytes, recordBytes);
                    return answered[0] > 0;
                },
                "an answer");
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        DnsAnswers drops = m -> {
            m.release();
            answered[0]++;
        };
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 8; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 10_000; i++) {
                server.query(q, 0, q.readableBytes(), false, 0, 0, drops);
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertThat(answered[0]).isEqualTo(80_001);
        server.forwarder().close();
        return least / 10_000;
    }

    /** Answers a question with one record of unknown data. */
    private static void serveText(DatagramChannel channel, int questionBytes, int recordBytes) {
        try {
            ByteBuffer b = ByteBuffer.allocate(4096);
            SocketAddress from = channel.receive(b);
            if (from != null) {
                b.putShort(2, (short) (DnsMessage.FLAG_RESPONSE | DnsMessage.FLAG_RECURSION_DESIRED));
                b.putShort(6, (short) 1).putShort(10, (short) 0);
                b.position(DnsMessage.HEADER_BYTES + questionBytes);
                b.putShort((short) 0xC00C).putShort((short) DnsMessage.TYPE_TXT).putShort((short) 1);
                b.putInt(3600).putShort((short) recordBytes).put(new byte[recordBytes]);
                channel.send(b.flip(), from);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
