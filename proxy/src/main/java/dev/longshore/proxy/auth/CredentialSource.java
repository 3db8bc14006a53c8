package dev.longshore.proxy.auth;

import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Where a user keeps the logins of proxies. Thread-safe; may block, so it is never called on an event loop. */
public interface CredentialSource {
    CredentialSource NONE = _ -> null;

    /** The login for {@code proxy}, whose URL has none; null if this source has none either. */
    @Nullable
    Login find(ProxyAddress proxy);

    /** The first of {@code sources} that has one. */
    static CredentialSource firstOf(List<CredentialSource> sources) {
        List<CredentialSource> all = List.copyOf(sources);
        return proxy -> {
            for (CredentialSource s : all) {
                Login login = s.find(proxy);
                if (login != null) {
                    return login;
                }
            }
            return null;
        };
    }
}
