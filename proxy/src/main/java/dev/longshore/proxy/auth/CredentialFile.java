package dev.longshore.proxy.auth;

import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file with a proxy's URL a line, login included and percent-encoded: {@code http://user:pass%20word@proxy.example:3128}. Read anew
 * each time. A file that others than its owner may read or write is not used. Thread-safe: no state.
 */
public final class CredentialFile implements CredentialSource {
    private static final Logger LOG = LoggerFactory.getLogger(CredentialFile.class);
    private static final Set<PosixFilePermission> OWNERS =
            EnumSet.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE);
    private static final long MAX_BYTES = 1 << 20;

    private final Path file;

    public CredentialFile(Path file) {
        this.file = file;
    }

    @Override
    public @Nullable Login find(ProxyAddress proxy) {
        try {
            if (!OWNERS.containsAll(Files.getPosixFilePermissions(file))) {
                LOG.warn("{} is not used: others may read or write it (chmod 600)", file);
                return null;
            }
            if (Files.size(file) > MAX_BYTES) {
                LOG.warn("{} is not used: too long", file);
                return null;
            }
            for (String line : Files.readAllLines(file)) {
                Login login = line.isBlank() || line.startsWith("#") ? null : login(line.strip(), proxy);
                if (login != null) {
                    return login;
                }
            }
        } catch (NoSuchFileException e) {
            return null;
        } catch (IOException | UnsupportedOperationException e) { // its text may quote what was read
            LOG.warn("{} cannot be read: {}", file, e.getClass().getSimpleName());
        }
        return null;
    }

    /** Null if the line is another proxy's, or nothing at all. */
    static @Nullable Login login(String line, ProxyAddress proxy) {
        try {
            URI uri = new URI(line);
            String user = uri.getRawUserInfo();
            String host = uri.getHost();
            if (user == null
                    || host == null
                    || !host.replaceAll("[\\[\\]]", "").toLowerCase(Locale.ROOT).equals(proxy.host())
                    || uri.getPort() != proxy.port()
                    || !proxy.protocol().name().equalsIgnoreCase(uri.getScheme())) {
                return null;
            }
            int colon = user.indexOf(':');
            return colon < 0
                    ? new Login(decode(user), "")
                    : new Login(decode(user.substring(0, colon)), decode(user.substring(colon + 1)));
        } catch (URISyntaxException | IllegalArgumentException e) {
            return null;
        }
    }

    private static String decode(String percentEncoded) {
        return URLDecoder.decode(percentEncoded.replace("+", "%2B"), StandardCharsets.UTF_8);
    }
}
