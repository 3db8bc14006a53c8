package dev.longshore.proxy.upstream;

import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whom TLS to a proxy believes: the JDK's authorities, the operating system's, and those that the user names. Thread-safe: read from
 * their files at the first use, and at the first one after {@link #use}.
 */
public final class ProxyTrust {
    private static final Logger LOG = LoggerFactory.getLogger(ProxyTrust.class);

    /** Debian and its kin, Fedora and its kin, SUSE, Alpine. */
    private static final List<Path> SYSTEM = List.of(
            Path.of("/etc/ssl/certs/ca-certificates.crt"),
            Path.of("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
            Path.of("/etc/pki/tls/certs/ca-bundle.crt"),
            Path.of("/etc/ssl/ca-bundle.pem"),
            Path.of("/etc/ssl/cert.pem"));

    private List<Path> extra;
    private @Nullable SslContext made;

    /** @param extra files with certificates in PEM */
    public ProxyTrust(List<Path> extra) {
        this.extra = List.copyOf(extra);
    }

    /** The files are these from now on, and may have changed; connections that are there stay. */
    public synchronized void use(List<Path> files) {
        extra = List.copyOf(files);
        made = null;
    }

    /** For clients; checks names. May block for tenths of a second at first. */
    synchronized SslContext context() throws IOException {
        SslContext context = made;
        if (context == null) {
            try {
                context = SslContextBuilder.forClient()
                        .sslProvider(SslProvider.JDK)
                        .trustManager(trust())
                        .endpointIdentificationAlgorithm("HTTPS")
                        .build();
            } catch (GeneralSecurityException e) {
                throw new IOException("no trust store: " + e.getMessage(), e);
            }
            made = context;
        }
        return context;
    }

    private TrustManagerFactory trust() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        List<Certificate> all = new ArrayList<>(ofJdk());
        SYSTEM.stream().filter(Files::isReadable).findFirst().ifPresent(bundle -> all.addAll(read(bundle)));
        extra.forEach(file -> all.addAll(read(file)));
        for (int i = 0; i < all.size(); i++) {
            store.setCertificateEntry("ca" + i, all.get(i));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory;
    }

    private static List<X509Certificate> ofJdk() throws GeneralSecurityException {
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init((KeyStore) null);
        List<X509Certificate> all = new ArrayList<>();
        for (TrustManager m : factory.getTrustManagers()) {
            if (m instanceof X509TrustManager x) {
                all.addAll(List.of(x.getAcceptedIssuers()));
            }
        }
        return all;
    }

    private static List<Certificate> read(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return List.copyOf(CertificateFactory.getInstance("X.509").generateCertificates(in));
        } catch (IOException | GeneralSecurityException e) {
            LOG.warn("the certificates in {} are not used: {}", file, e.toString());
            return List.of();
        }
    }
}
