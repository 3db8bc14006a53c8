package dev.longshore.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.proto.control.v1.DaemonServiceGrpc;
import dev.longshore.proto.control.v1.GetStatusRequest;
import dev.longshore.proto.control.v1.State;
import dev.longshore.testkit.Certificates;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The control API on TCP: only for who shows a certificate of the right root. */
@Timeout(60)
class MutualTlsTest {
    private final FakeDaemon daemon = new FakeDaemon();

    @TempDir
    private Path directory;

    private Certificates certificates = new Certificates(Path.of("/"));
    private InetSocketAddress address = new InetSocketAddress(0);
    private @Nullable ControlServer server;

    @BeforeEach
    void start() throws Exception {
        certificates = new Certificates(directory)
                .root("ca")
                .signed("server", "ca")
                .signed("client", "ca")
                .root("other-ca")
                .signed("stranger", "other-ca");
        address = freeAddress();
        server = ControlServer.start(
                directory.resolve("control.sock"),
                daemon,
                daemon,
                daemon,
                daemon,
                daemon,
                daemon,
                daemon.policy(),
                daemon.dns(),
                daemon.proxies(),
                daemon.files);
        server.serveRemotely(listener());
    }

    private static InetSocketAddress freeAddress() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
            return new InetSocketAddress(socket.getInetAddress(), socket.getLocalPort());
        }
    }

    private MutualTls listener() {
        return new MutualTls(
                address,
                certificates.certificate("server"),
                certificates.key("server"),
                certificates.certificate("ca"));
    }

    private ControlServer server() {
        ControlServer s = server;
        if (s == null) {
            throw new IllegalStateException("not started");
        }
        return s;
    }

    @AfterEach
    void stop() {
        server().close();
    }

    @Test
    void callerWithACertificateOfTheRoot_isServed() throws Exception {
        assertThat(stateFor("client")).isEqualTo(State.STATE_RUNNING);
    }

    @Test
    void callersWithout_orOfAnotherRoot_areNot() {
        for (@Nullable String who : new @Nullable String[] {null, "stranger"}) {
            assertThatThrownBy(() -> stateFor(who))
                    .as(String.valueOf(who))
                    .isInstanceOf(StatusRuntimeException.class)
                    .satisfies(e -> assertThat(
                                    ((StatusRuntimeException) e).getStatus().getCode())
                            .isEqualTo(Code.UNAVAILABLE));
        }
    }

    @Test
    void listener_movesAndEnds() throws Exception {
        InetSocketAddress before = address;
        address = freeAddress();
        server().serveRemotely(listener());
        assertThat(stateFor("client")).isEqualTo(State.STATE_RUNNING);
        address = before;
        assertThatThrownBy(() -> stateFor("client")).isInstanceOf(StatusRuntimeException.class);

        server().serveRemotely(listener());
        assertThat(stateFor("client")).isEqualTo(State.STATE_RUNNING);
        server().serveRemotely(null);
        assertThatThrownBy(() -> stateFor("client")).isInstanceOf(StatusRuntimeException.class);
    }

    @Test
    void whatCantBeUsed_isSaid() throws Exception {
        MutualTls missing = new MutualTls(
                address,
                certificates.certificate("server"),
                directory.resolve("no.key"),
                certificates.certificate("ca"));
        assertThatThrownBy(() -> server().serveRemotely(missing))
                .isInstanceOf(IOException.class)
                .hasMessage(directory.resolve("no.key") + " can't be read");
        MutualTls mixedUp = new MutualTls(
                address,
                certificates.key("server"),
                certificates.certificate("server"),
                certificates.certificate("ca"));
        assertThatThrownBy(() -> server().serveRemotely(mixedUp))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("no TLS with ");
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
            address = new InetSocketAddress(taken.getInetAddress(), taken.getLocalPort());
            assertThatThrownBy(() -> server().serveRemotely(listener()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("Failed to bind");
        }
    }

    private State stateFor(@Nullable String who) throws Exception {
        SslContextBuilder tls = SslContextBuilder.forClient()
                .trustManager(certificates.certificate("ca").toFile());
        if (who != null) {
            tls.keyManager(
                    certificates.certificate(who).toFile(),
                    certificates.key(who).toFile());
        }
        ManagedChannel channel = NettyChannelBuilder.forAddress(address)
                .sslContext(GrpcSslContexts.configure(tls, SslProvider.JDK).build())
                .build();
        try {
            return DaemonServiceGrpc.newBlockingStub(channel)
                    .getStatus(GetStatusRequest.getDefaultInstance())
                    .getState();
        } finally {
            channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
        }
    }
}
