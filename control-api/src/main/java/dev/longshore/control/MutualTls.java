package dev.longshore.control;

import io.grpc.netty.GrpcSslContexts;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.net.ssl.SSLException;

/**
 * Where the control API listens on TCP, and by which certificates each side is known. There is no way to have one without the
 * other: whoever may call the API has the daemon's user. The files are read when it begins to listen. Immutable.
 *
 * @param certificate PEM: the chain that we show
 * @param key PEM, PKCS #8, without a password
 * @param clientCa PEM: the roots of the clients' certificates
 */
public record MutualTls(InetSocketAddress address, Path certificate, Path key, Path clientCa) {
    SslContext context() throws IOException {
        for (Path file : new Path[] {certificate, key, clientCa}) {
            if (!Files.isReadable(file)) {
                throw new IOException(file + " can't be read");
            }
        }
        try {
            SslContextBuilder builder = SslContextBuilder.forServer(certificate.toFile(), key.toFile())
                    .trustManager(clientCa.toFile())
                    .clientAuth(ClientAuth.REQUIRE)
                    .protocols("TLSv1.3", "TLSv1.2");
            return GrpcSslContexts.configure(builder, SslProvider.JDK).build();
        } catch (IllegalArgumentException | SSLException e) {
            throw new IOException(
                    "no TLS with " + certificate + ", " + key + " and " + clientCa + ": " + e.getMessage(), e);
        }
    }
}
