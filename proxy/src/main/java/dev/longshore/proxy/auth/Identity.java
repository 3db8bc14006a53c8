package dev.longshore.proxy.auth;

import dev.longshore.proxy.route.ProxyAddress.Login;
import org.jspecify.annotations.Nullable;

/**
 * Who a proxy takes a connection's requests for. Connections of different identities are never exchanged for one another. Immutable;
 * never printed.
 *
 * @param login user and password; null for a ticket
 * @param principal whose ticket it is; null for a login
 */
record Identity(@Nullable Login login, @Nullable String principal) {
    static Identity of(Login login) {
        return new Identity(login, null);
    }

    static Identity of(Kerberos.Holder holder) {
        return new Identity(null, holder.principal());
    }

    boolean isTicket() {
        return principal != null;
    }

    @Override
    public String toString() {
        return isTicket() ? "a Kerberos ticket" : "a login";
    }
}
