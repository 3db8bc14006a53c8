package dev.longshore.portforward;

import static dev.longshore.portforward.LoopExtension.await;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.config.PortBinding;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.ExposeResult.Exposed;
import dev.longshore.portforward.ExposeResult.Reason;
import dev.longshore.portforward.ExposeResult.Refused;
import dev.longshore.vpnkit.count.Counters;
import java.io.IOException;
import java.net.ConnectException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Real sockets on the host's loopback, a fake guest behind them. */
class HostListenersTest {
    private static final IpAddress LOOPBACK = IpAddress.parse("127.0.0.1");
    private static final IpAddress LOOPBACK6 = IpAddress.parse("::1");
    private static final IpAddress ANY = IpAddress.parse("0.0.0.0");
    private static final IpAddress ANY6 = IpAddress.parse("::");
    private static final IpAddress CONTAINER = IpAddress.parse("172.17.0.2");
    private static final IpAddress CONTAINER6 = IpAddress.parse("fd00::2");

    @RegisterExtension
    final LoopExtension loop = new LoopExtension();

    @TempDir
    Path dir;

    private final FakeGuest guest = new FakeGuest(loop.loop);
    private final PortTable table = table(new UdpLimits(Duration.ofMinutes(2), 3));

    private PortTable table(UdpLimits limits) {
        return new PortTable(guest, BindPolicy.of(PortBinding.DEFAULT_PORT_BINDING), 1000, limits, PortWatcher.NONE);
    }

    private ExposeResult expose(HostEndpoint host, IpAddress to) throws Exception {
        return await(table.expose(new Forward(host, to, 80), Owner.CONTROL_API));
    }

    private Exposed exposed(HostEndpoint host, IpAddress to) throws Exception {
        ExposeResult r = expose(host, to);
        assertThat(r).isInstanceOf(Exposed.class);
        return (Exposed) r;
    }

    private static int port(Exposed e) {
        return ((HostEndpoint.Port) e.bound()).port();
    }

    private static Socket call(IpAddress address, int port) throws IOException {
        Socket s = new Socket();
        s.setSoTimeout(10_000);
        s.connect(new InetSocketAddress(address.toInetAddress(), port), 10_000);
        return s;
    }

    /** A port that moves is bound some turns of the loop after that was asked for. */
    private Socket callWhenBound(IpAddress address, int port) throws Exception {
        for (long begin = System.nanoTime(); ; ) {
            try {
                return call(address, port);
            } catch (ConnectException e) {
                if (System.nanoTime() - begin > 10_000_000_000L) {
                    throw e;
                }
                loop.settle();
            }
        }
    }

    private static String echo(Socket s, String text) throws IOException {
        s.getOutputStream().write(text.getBytes(US_ASCII));
        s.shutdownOutput();
        return new String(s.getInputStream().readAllBytes(), US_ASCII);
    }

    @Test
    void tcp_anyPort_isResolvedAndLeadsToTheContainerWithTheCallersAddress() throws Exception {
        Exposed e = exposed(HostEndpoint.tcp(LOOPBACK, 0), CONTAINER);
        assertThat(port(e)).isPositive();
        try (Socket s = call(LOOPBACK, port(e))) {
            assertThat(echo(s, "hello")).isEqualTo("hello");
            assertThat(guest.tcpCalls.take())
                    .isEqualTo(new FakeGuest.TcpCall(CONTAINER, 80, LOOPBACK, s.getLocalPort()));
        }
        loop.settle();
        assertThat(await(table.list())).first().satisfies(p -> {
            assertThat(p.bytesToGuest()).isEqualTo(5);
            assertThat(p.bytesFromGuest()).isEqualTo(5);
            assertThat(p.total()).isEqualTo(1);
            assertThat(p.active()).isZero();
        });
    }

    @Test
    void tcp_takenOnTheHost_hasDockersText() throws Exception {
        try (ServerSocket other = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            int p = other.getLocalPort();
            assertThat(expose(HostEndpoint.tcp(LOOPBACK, p), CONTAINER))
                    .isEqualTo(new Refused(
                            Reason.IN_USE,
                            "ports are not available: exposing port TCP 127.0.0.1:%d -> 127.0.0.1:0: listen tcp 127.0.0.1:%d: bind: address already in use"
                                    .formatted(p, p)));
            assertThat(((Refused) expose(HostEndpoint.tcp(ANY, p), CONTAINER)).message())
                    .endsWith("listen tcp 0.0.0.0:" + p + ": bind: address already in use");
        }
    }

    @Test
    void udp_takenOnTheHost_hasDockersText() throws Exception {
        try (DatagramSocket other = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            int p = other.getLocalPort();
            assertThat(((Refused) expose(HostEndpoint.udp(LOOPBACK, p), CONTAINER)).message())
                    .isEqualTo(
                            "ports are not available: exposing port UDP 127.0.0.1:%d -> 127.0.0.1:0: listen udp 127.0.0.1:%d: bind: address already in use"
                                    .formatted(p, p));
        }
    }

    @Test
    void addressOfAnotherMachine_isRefused() throws Exception {
        Refused r = (Refused) expose(HostEndpoint.tcp(IpAddress.parse("192.0.2.1"), 8080), CONTAINER);
        assertThat(r.reason()).isEqualTo(Reason.NO_SUCH_ADDRESS);
        assertThat(r.message()).endsWith("listen tcp 192.0.2.1:8080: bind: cannot assign requested address");
    }

    /** With connections open and a datagram's client remembered: neither keeps the port from being bound anew. */
    @Test
    void otherPolicy_movesRealSocketsToTheLoopback_andBack() throws Exception {
        IpAddress otherLoopback = IpAddress.parse("127.0.0.2"); // on the host, and not what the policy binds
        Exposed tcp = exposed(HostEndpoint.tcp(ANY, 0), CONTAINER);
        Exposed udp = exposed(HostEndpoint.udp(ANY, 0), CONTAINER);
        try (Socket open = call(otherLoopback, port(tcp))) {
            guest.tcpCalls.take();

            assertThat(await(table.place(BindPolicy.of(PortBinding.LOCAL_ONLY_PORT_BINDING))))
                    .isEqualTo(2);

            assertThatThrownBy(() -> open.getInputStream().read()).isInstanceOf(IOException.class);
        }
        try (Socket s = callWhenBound(LOOPBACK, port(tcp))) {
            assertThat(echo(s, "local")).isEqualTo("local");
        }
        assertThatThrownBy(() -> call(otherLoopback, port(tcp))).isInstanceOf(ConnectException.class);
        assertThat(await(table.list()))
                .extracting(PortSnapshot::host)
                .containsExactly(HostEndpoint.tcp(LOOPBACK, port(tcp)), HostEndpoint.udp(LOOPBACK, port(udp)));
        assertThat(await(table.place(BindPolicy.of(PortBinding.DEFAULT_PORT_BINDING))))
                .isEqualTo(2);
        try (Socket s = callWhenBound(otherLoopback, port(tcp))) {
            assertThat(echo(s, "all")).isEqualTo("all");
        }
    }

    /** dockerd asks for both families one by one. */
    @Test
    void bothFamilies_samePort_areBothExposed() throws Exception {
        Exposed v4 = exposed(HostEndpoint.tcp(ANY, 0), CONTAINER);
        Exposed v6 = exposed(HostEndpoint.tcp(ANY6, port(v4)), CONTAINER);
        try (Socket s = call(LOOPBACK, port(v4))) {
            assertThat(echo(s, "four")).isEqualTo("four");
        }
        guest.tcpCalls.take();
        if (v6.note().isEmpty()) { // else this host has no IPv6, and that was said
            try (Socket s = call(LOOPBACK6, port(v4))) {
                assertThat(echo(s, "six")).isEqualTo("six");
                // the container's address is of the other family: who can be shown is for the connector to say
                assertThat(guest.tcpCalls.take())
                        .isEqualTo(new FakeGuest.TcpCall(CONTAINER, 80, LOOPBACK6, s.getLocalPort()));
            }
        } else {
            assertThat(v6.note()).contains("no IPv6");
        }
        await(table.release(v4.id()));
        assertThatThrownBy(() -> call(LOOPBACK, port(v4)).close()).isInstanceOf(ConnectException.class);
    }

    @Test
    void ipv6Container_isCalledByThatAddress() throws Exception {
        Exposed e = exposed(HostEndpoint.tcp(LOOPBACK, 0), CONTAINER6);
        try (Socket s = call(LOOPBACK, port(e))) {
            assertThat(echo(s, "x")).isEqualTo("x");
            assertThat(guest.tcpCalls.take())
                    .isEqualTo(new FakeGuest.TcpCall(CONTAINER6, 80, LOOPBACK, s.getLocalPort()));
        }
    }

    @Test
    void release_freesThePortAtOnceAndResetsItsConnections() throws Exception {
        Exposed e = exposed(HostEndpoint.tcp(LOOPBACK, 0), CONTAINER);
        try (Socket s = call(LOOPBACK, port(e))) {
            s.getOutputStream().write('x');
            assertThat(s.getInputStream().read()).isEqualTo('x');
            await(table.release(e.id()));
            try (ServerSocket next = new ServerSocket(port(e), 5, InetAddress.getLoopbackAddress())) {
                assertThat(next.isBound()).isTrue();
            }
            assertThatThrownBy(() -> s.getInputStream().read()).isInstanceOf(IOException.class);
        }
    }

    @Test
    void udp_eachClientHasItsOwnFlowAndItsOwnAnswers() throws Exception {
        Exposed e = exposed(HostEndpoint.udp(LOOPBACK, 0), CONTAINER);
        List<DatagramSocket> clients = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            DatagramSocket c = new DatagramSocket(0, InetAddress.getLoopbackAddress());
            c.setSoTimeout(10_000);
            c.connect(InetAddress.getLoopbackAddress(), port(e)); // only answers of that address arrive
            clients.add(c);
        }
        for (int round = 0; round < 3; round++) {
            for (DatagramSocket c : clients) {
                assertThat(ask(c, "round " + round)).isEqualTo(c.getLocalPort() + " round " + round);
            }
        }
        assertThat(guest.udpCalls).hasSize(3);
        assertThat(guest.udpCalls.take())
                .isEqualTo(new FakeGuest.UdpCall(
                        CONTAINER, 80, LOOPBACK, clients.getFirst().getLocalPort()));
        // a fourth client: the limit is three, the one idle for longest goes
        try (DatagramSocket fourth = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            fourth.setSoTimeout(10_000);
            fourth.connect(InetAddress.getLoopbackAddress(), port(e));
            assertThat(ask(fourth, "new")).isEqualTo(fourth.getLocalPort() + " new");
        }
        assertThat(guest.udpCloses.take().sourcePort())
                .isEqualTo(clients.getFirst().getLocalPort());
        assertThat(await(table.list()).getFirst().active()).isEqualTo(3);

        await(table.release(e.id()));
        assertThat(loop.on(guest.openUdp::isEmpty)).isTrue();
        for (DatagramSocket c : clients) {
            c.close();
        }
    }

    private static String ask(DatagramSocket c, String text) throws IOException {
        c.send(new DatagramPacket(text.getBytes(US_ASCII), text.length()));
        DatagramPacket answer = new DatagramPacket(new byte[2000], 2000);
        c.receive(answer);
        return new String(answer.getData(), 0, answer.getLength(), US_ASCII);
    }

    @Test
    void udp_answersThatReachNobody_areCounted() throws Exception {
        Exposed e = exposed(HostEndpoint.udp(LOOPBACK, 0), CONTAINER);
        CountDownLatch gone = new CountDownLatch(1);
        loop.loop.execute(() -> awaitQuietly(gone)); // nothing is read before the client has left
        try (DatagramSocket c = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            c.send(new DatagramPacket(new byte[1], 1, InetAddress.getLoopbackAddress(), port(e)));
        }
        gone.countDown();
        for (long begin = System.nanoTime(); ; loop.settle()) {
            if (dropped("reason=client_unreachable") == 1) {
                break;
            }
            assertThat(System.nanoTime() - begin).isLessThan(10_000_000_000L);
        }
        assertThat(dropped("reason=")).isEqualTo(1);
    }

    private long dropped(String reason) {
        return table.readings().stream()
                .filter(r -> r.tags().startsWith(reason))
                .mapToLong(Counters.Reading::value)
                .sum();
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void udp_largestDatagramGoesThrough() throws Exception {
        Exposed e = exposed(HostEndpoint.udp(LOOPBACK, 0), CONTAINER);
        try (DatagramSocket c = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            c.setSoTimeout(10_000);
            byte[] large = new byte[65_500];
            c.send(new DatagramPacket(large, large.length, InetAddress.getLoopbackAddress(), port(e)));
            DatagramPacket answer = new DatagramPacket(new byte[70_000], 70_000);
            c.receive(answer);
            assertThat(answer.getLength()).isEqualTo(65_500 + (c.getLocalPort() + " ").length());
        }
    }

    @Test
    void udp_onAllAddresses_answersFromTheOneTheClientWroteTo() throws Exception {
        Exposed e = exposed(HostEndpoint.udp(IpAddress.v4(0), 0), CONTAINER);
        for (int last = 1; last <= 5; last++) {
            InetAddress written = InetAddress.getByAddress(new byte[] {127, 0, 0, (byte) last});
            try (DatagramSocket c = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
                c.setSoTimeout(10_000);
                c.connect(written, port(e)); // only answers of that address arrive
                assertThat(ask(c, "x")).isEqualTo(c.getLocalPort() + " x");
            }
        }
    }

    @Test
    void udp_emptyDatagram_goesThrough() throws Exception {
        Exposed e = exposed(HostEndpoint.udp(LOOPBACK, 0), CONTAINER);
        try (DatagramSocket c = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            c.setSoTimeout(10_000);
            c.send(new DatagramPacket(new byte[0], 0, InetAddress.getLoopbackAddress(), port(e)));
            DatagramPacket answer = new DatagramPacket(new byte[100], 100);
            c.receive(answer);
            assertThat(answer.getLength()).isEqualTo((c.getLocalPort() + " ").length());
        }
    }

    @Test
    void udp_idleClients_areForgottenByTheTimer() throws Exception {
        PortTable quick = table(new UdpLimits(Duration.ofMillis(50), 10));
        Exposed e = (Exposed)
                await(quick.expose(new Forward(HostEndpoint.udp(LOOPBACK, 0), CONTAINER, 53), Owner.CONTROL_API));
        try (DatagramSocket c = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            c.setSoTimeout(10_000);
            c.connect(InetAddress.getLoopbackAddress(), port(e));
            ask(c, "x");
            assertThat(guest.udpCloses.take().sourcePort()).isEqualTo(c.getLocalPort());
            assertThat(ask(c, "again")).isEqualTo(c.getLocalPort() + " again");
        }
    }

    private static String echo(Path socket, String text) throws IOException {
        try (SocketChannel s = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            s.write(ByteBuffer.wrap(text.getBytes(US_ASCII)));
            s.shutdownOutput();
            ByteBuffer answer = ByteBuffer.allocate(100);
            while (s.read(answer) >= 0) {}
            return new String(answer.array(), 0, answer.position(), US_ASCII);
        }
    }

    @Test
    void unix_leadsToTheGuestAndTheFileGoesWithIt() throws Exception {
        Path socket = dir.resolve("s");
        Exposed e = exposed(new HostEndpoint.UnixPath(socket.toString()), CONTAINER);
        assertThat(echo(socket, "hello")).isEqualTo("hello");
        assertThat(guest.tcpCalls.take()).isEqualTo(new FakeGuest.TcpCall(CONTAINER, 80, LOOPBACK, 0));
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                .isEqualTo("rw-------");
        await(table.release(e.id()));
        assertThat(socket).doesNotExist();
    }

    @Test
    void proxyProtocol_introducesTheCaller_beforeWhatItSends() throws Exception {
        Path socket = dir.resolve("s");
        await(table.expose(
                new Forward(new HostEndpoint.UnixPath(socket.toString()), CONTAINER, 80, ProxyProtocol.V1),
                Owner.CONTROL_API));
        assertThat(echo(socket, "hello")).isEqualTo("PROXY UNKNOWN\r\nhello");

        Exposed tcp = (Exposed) await(table.expose(
                new Forward(HostEndpoint.tcp(LOOPBACK, 0), CONTAINER, 80, ProxyProtocol.V1), Owner.CONTROL_API));
        try (Socket s = new Socket(java.net.InetAddress.getLoopbackAddress(), port(tcp))) {
            s.shutdownOutput(); // nothing of the caller's comes
            assertThat(new String(s.getInputStream().readAllBytes(), US_ASCII))
                    .isEqualTo("PROXY TCP4 127.0.0.1 127.0.0.1 " + s.getLocalPort() + " " + port(tcp) + "\r\n");
        }
    }

    @Test
    void unix_fileOfACrash_isReplaced() throws Exception {
        Path socket = dir.resolve("s");
        ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(socket))
                .close(); // leaves the file
        assertThat(socket).exists();
        exposed(new HostEndpoint.UnixPath(socket.toString()), CONTAINER);
        assertThat(echo(socket, "hello")).isEqualTo("hello");
    }

    @Test
    void unix_servedByAnother_isInUse() throws Exception {
        Path socket = dir.resolve("s");
        try (ServerSocketChannel other =
                ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket))) {
            Refused r = (Refused) expose(new HostEndpoint.UnixPath(socket.toString()), CONTAINER);
            assertThat(r.reason()).isEqualTo(Reason.IN_USE);
            assertThat(other.isOpen()).isTrue();
        }
    }

    @Test
    void unix_otherFile_isLeftAlone() throws Exception {
        Path file = Files.writeString(dir.resolve("s"), "precious");
        assertThat(expose(new HostEndpoint.UnixPath(file.toString()), CONTAINER))
                .isInstanceOf(Refused.class);
        assertThat(file).hasContent("precious");
    }

    @Test
    void unix_pathTooLong_isRefused() throws Exception {
        assertThat(expose(new HostEndpoint.UnixPath("/tmp/" + "x".repeat(200)), CONTAINER))
                .isInstanceOf(Refused.class);
    }

    @Test
    void range_ofPorts_isExposedAndReleased() throws Exception {
        int first = freeRange(50);
        List<CompletableFuture<ExposeResult>> results = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            results.add(table.expose(
                    new Forward(HostEndpoint.tcp(LOOPBACK, first + i), CONTAINER, 80), Owner.container(i)));
        }
        for (CompletableFuture<ExposeResult> r : results) {
            assertThat(await(r)).isInstanceOf(Exposed.class);
        }
        try (Socket s = call(LOOPBACK, first + 49)) {
            assertThat(echo(s, "last")).isEqualTo("last");
        }
        assertThat(await(table.closeAll())).isEqualTo(50);
        for (int i = 0; i < 50; i++) {
            new ServerSocket(first + i, 5, InetAddress.getLoopbackAddress()).close();
        }
    }

    /** The start of a range of TCP ports that are free now, below the ephemeral ones. */
    private static int freeRange(int size) throws IOException {
        for (int first = 20_000; first < 30_000; first += size) {
            if (isFree(first, size)) {
                return first;
            }
        }
        throw new IOException("no free range");
    }

    private static boolean isFree(int first, int size) {
        for (int i = 0; i < size; i++) {
            if (!isFreeTcp(first + i) || !isFreeUdp(first + i)) {
                return false;
            }
        }
        return true;
    }

    private static boolean isFreeTcp(int port) {
        try (ServerSocket s = new ServerSocket(port, 5, InetAddress.getLoopbackAddress())) {
            return s.isBound();
        } catch (IOException e) {
            return false;
        }
    }

    private static boolean isFreeUdp(int port) {
        try (DatagramSocket s = new DatagramSocket(port, InetAddress.getLoopbackAddress())) {
            return s.isBound();
        } catch (IOException e) {
            return false;
        }
    }

    /** Ports come and go as fast as they can be asked for; at the end the host's ports are those of the list. */
    @Test
    void rapidExposeAndRelease_hostPortsAreThoseOfTheList() throws Exception {
        long seed = 42;
        Random random = new Random(seed);
        int first = freeRange(8);
        List<CompletableFuture<?>> pending = new ArrayList<>();
        long owner = 0;
        for (int round = 0; round < 40; round++) {
            for (int i = 0; i < 50; i++) {
                if (random.nextInt(3) < 2) {
                    int port = first + random.nextInt(8);
                    HostEndpoint host =
                            random.nextBoolean() ? HostEndpoint.tcp(LOOPBACK, port) : HostEndpoint.udp(LOOPBACK, port);
                    pending.add(table.expose(new Forward(host, CONTAINER, 80), Owner.container(++owner)));
                } else {
                    pending.add(table.release(1 + random.nextLong(owner + 1)));
                }
            }
            for (CompletableFuture<?> p : pending) {
                await(p);
            }
            pending.clear();
            TreeMap<String, Boolean> listed = new TreeMap<>(), seen = new TreeMap<>();
            for (int p = first; p < first + 8; p++) {
                seen.put("tcp " + p, !isFreeTcp(p));
                seen.put("udp " + p, !isFreeUdp(p));
                listed.put("tcp " + p, false);
                listed.put("udp " + p, false);
            }
            for (PortSnapshot s : await(table.list())) {
                listed.put(s.host().protocol().word() + " " + ((HostEndpoint.Port) s.host()).port(), true);
            }
            assertThat(seen).as("seed %d, round %d", seed, round).isEqualTo(listed);
        }
        await(table.closeAll());
        assertThat(isFree(first, 8)).isTrue();
    }

    @Test
    void manyConnections_areAllEchoed() throws Exception {
        Exposed e = exposed(HostEndpoint.tcp(LOOPBACK, 0), CONTAINER);
        List<Socket> sockets = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            sockets.add(call(LOOPBACK, port(e)));
        }
        for (Socket s : sockets) {
            assertThat(echo(s, "me")).isEqualTo("me");
            s.close();
        }
        assertThat(await(table.list()).getFirst().total()).isEqualTo(300);
    }
}
