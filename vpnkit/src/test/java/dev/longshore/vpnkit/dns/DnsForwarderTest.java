package dev.longshore.vpnkit.dns;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.testkit.VirtualLoop;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ip.Families;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.udp.UdpOutput;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.io.UncheckedIOException;
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
        Resolvers resolvers = Resolvers.fixed(
                List.of((InetSocketAddress) stub.getLocalAddress()),
                List.of((InetSocketAddress) behind.getLocalAddress()));
        IpPlan plan = IpPlan.standard();
        AddressFilter filter = new AddressFilter(new Families(plan), () -> true, () -> true, () -> 0);
        ToldNames names = new ToldNames(() -> 0);
        DnsForwarder forwarder =
                new DnsForwarder(loop, resolvers, filter, names, loop.clock()::nanos, COUNTERS);
        HostsFile hosts = HostsFile.of(null, plan, loop, () -> 0);
        return DnsServer.of(
                plan, loop, hosts, filter, forwarder, names, none(), ByteBufAllocator.DEFAULT, COUNTERS);
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
        assertThat(serve(behind, -1)).as("what it says of a VPN's name is right").isZero();
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
        assertThat(serve(behind, -1)).as("of names of the link it hears nothing").isZero();
        server.forwarder().close();
    }
}
