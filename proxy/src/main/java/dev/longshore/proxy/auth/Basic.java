package dev.longshore.proxy.auth;

import dev.longshore.proxy.route.ProxyAddress.Login;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/** RFC 7617, in UTF-8. No state. */
final class Basic {
    static String answer(Login login) throws AuthFailure {
        if (login.user().indexOf(':') >= 0) {
            throw new AuthFailure("Basic cannot send a user name with a colon");
        }
        String pair = login.user() + ":" + login.password();
        return "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8));
    }

    private Basic() {}
}
