package dev.longshore.backend;

import dev.longshore.config.Home;
import dev.longshore.config.ProxyScheme;
import dev.longshore.config.Settings;
import dev.longshore.proxy.auth.AuthSettings;
import dev.longshore.proxy.auth.Authenticator;
import dev.longshore.proxy.auth.CredentialFile;
import dev.longshore.proxy.auth.CredentialSource;
import dev.longshore.proxy.auth.DockerCredentialHelper;
import dev.longshore.proxy.auth.Keytab;
import dev.longshore.proxy.auth.ProxyState;
import dev.longshore.proxy.auth.Scheme;
import dev.longshore.proxy.route.Router;
import dev.longshore.proxy.upstream.ProxyConnector;
import dev.longshore.proxy.upstream.ProxyTrust;
import dev.longshore.proxy.upstream.UpstreamSettings;
import dev.longshore.proxy.upstream.Upstreams;
import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.EgressDialer;
import dev.longshore.vpnkit.hostsocket.NameLookup;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Connections of one network through upstream proxies: their sockets, trust and logins. Thread-safe: its parts are. */
final class UpstreamPart implements AutoCloseable {
    /** A proxy that does not answer is mostly one of a network that this computer has left: the next hop is waited for. */
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);

    private final DirectDialer sockets;
    private final ProxyTrust trust;
    private final Authenticator authenticator;
    private final Upstreams upstreams;

    /** @param environment as {@link System#getenv()}: says where the user's logins are */
    UpstreamPart(
            Settings settings,
            String pseudonym,
            Router router,
            EgressDialer egress,
            OwnAddresses own,
            Map<String, String> environment) {
        sockets = new DirectDialer(own, NameLookup.ofHost(), CONNECT_TIMEOUT);
        authenticator = new Authenticator(auth(settings), logins(environment));
        trust = new ProxyTrust(settings.authorities());
        ProxyConnector connector = new ProxyConnector(sockets::dialAsHost, trust, authenticator.threads());
        upstreams = new Upstreams(
                router,
                egress,
                connector,
                authenticator,
                wishes(UpstreamSettings.of(pseudonym, false), settings),
                System::nanoTime);
    }

    private static AuthSettings auth(Settings settings) {
        Settings.ProxyLogin login = settings.proxy().login();
        Keytab keytab = login.keytab().isEmpty() ? null : Keytab.parse(login.keytab());
        return AuthSettings.of(login.kerberosNtlm(), only(login.scheme()), keytab);
    }

    private static @Nullable Scheme only(ProxyScheme wanted) {
        return switch (wanted) {
            case AUTO -> null;
            case NEGOTIATE -> Scheme.NEGOTIATE;
            case DIGEST -> Scheme.DIGEST;
            case NTLM -> Scheme.NTLM;
            case BASIC -> Scheme.BASIC;
        };
    }

    private static UpstreamSettings wishes(UpstreamSettings now, Settings settings) {
        Settings.Proxy proxy = settings.proxy();
        return now.with(proxy.via(), proxy.login().passes(), Duration.ofMinutes(proxy.tunnelIdleMinutes()));
    }

    private static CredentialSource logins(Map<String, String> environment) {
        Path user = Path.of(System.getProperty("user.home", "/"));
        String docker = environment.get("DOCKER_CONFIG");
        Path config = docker == null || docker.isEmpty() ? user.resolve(".docker") : Path.of(docker);
        return CredentialSource.firstOf(List.of(
                new DockerCredentialHelper("", config.resolve("config.json")),
                new CredentialFile(Home.locate(environment, user).proxyLogins())));
    }

    Upstreams upstreams() {
        return upstreams;
    }

    /** What counts at once. */
    void apply(Settings settings) {
        authenticator.set(auth(settings));
        upstreams.set(wishes(upstreams.settings(), settings));
    }

    /** These files, or the host's store, have changed. */
    void trust(List<Path> authorities) {
        trust.use(authorities);
    }

    /** How it stands with each proxy that has been used. */
    List<ProxyState> states() {
        return authenticator.states();
    }

    @Override
    public void close() {
        sockets.close();
        authenticator.close();
    }
}
