package dev.longshore.proxy.auth;

import dev.longshore.proxy.route.ProxyAddress.Login;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import javax.security.auth.Subject;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import javax.security.auth.callback.NameCallback;
import javax.security.auth.callback.PasswordCallback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.kerberos.KerberosTicket;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.login.AppConfigurationEntry.LoginModuleControlFlag;
import javax.security.auth.login.Configuration;
import javax.security.auth.login.LoginContext;
import javax.security.auth.login.LoginException;
import org.ietf.jgss.GSSContext;
import org.ietf.jgss.GSSCredential;
import org.ietf.jgss.GSSException;
import org.ietf.jgss.GSSManager;
import org.ietf.jgss.GSSName;
import org.ietf.jgss.Oid;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Kerberos tickets and SPNEGO tokens made of them (RFC 4178, RFC 4559), by the JDK. Everything here may wait for a KDC, so nothing is
 * called on an event loop. Realm and KDC come from {@code krb5.conf}, which is one for the process.
 */
final class Kerberos {
    private static final Logger LOG = LoggerFactory.getLogger(Kerberos.class);
    private static final String MODULE = "com.sun.security.auth.module.Krb5LoginModule";
    private static final String SPNEGO = "1.3.6.1.5.5.2";

    /** Who has tickets. Immutable to us. */
    record Holder(Subject subject) {
        /** None of them has run out. */
        boolean isCurrent() {
            return subject.getPrivateCredentials(KerberosTicket.class).stream().allMatch(KerberosTicket::isCurrent);
        }

        String principal() {
            return subject.getPrincipals().stream()
                    .findFirst()
                    .map(Objects::toString)
                    .orElse("");
        }
    }

    /** The tickets that the user has got already: {@code KRB5CCNAME}, or the cache in its usual place. */
    static Holder fromCache() throws AuthFailure {
        if (!hasCache()) {
            throw new AuthFailure("no Kerberos ticket is there (kinit)"); // the JDK would ask DNS for a realm first
        }
        return login(
                Map.of("useTicketCache", "true", "doNotPrompt", "true", "refreshKrb5Config", "true"),
                null,
                "no Kerberos ticket is there (kinit)");
    }

    /** On macOS it is no file. */
    static boolean hasCache() {
        if (System.getProperty("os.name", "").startsWith("Mac")) {
            return true;
        }
        String named = System.getenv("KRB5CCNAME");
        try {
            Path file = named != null && !named.isEmpty()
                    ? Path.of(named.replaceFirst("^FILE:", ""))
                    : Path.of("/tmp/krb5cc_" + Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
            return Files.isReadable(file);
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
            return false;
        }
    }

    private static boolean isConfigured() {
        return Files.isReadable(Path.of(System.getProperty("java.security.krb5.conf", "/etc/krb5.conf")));
    }

    /** Asks the KDC for tickets; a wrong password counts there. */
    static Holder byPassword(Login login) throws AuthFailure {
        if (!isConfigured()) {
            throw new AuthFailure("Kerberos is not set up here (krb5.conf)");
        }
        return login(
                Map.of("refreshKrb5Config", "true"),
                login,
                "the KDC gave no ticket for the user and password that are set for the proxy");
    }

    /** Asks the KDC for tickets, with keys in place of a password. */
    static Holder byKeytab(Keytab keytab) throws AuthFailure {
        if (!isConfigured()) {
            throw new AuthFailure("Kerberos is not set up here (krb5.conf)");
        }
        if (!Files.isReadable(keytab.file())) {
            throw new AuthFailure("the keytab can't be read: " + keytab.file());
        }
        return login(
                Map.of(
                        "useKeyTab", "true",
                        "keyTab", keytab.file().toString(),
                        "principal", keytab.principal(),
                        "doNotPrompt", "true",
                        "refreshKrb5Config", "true"),
                null,
                "the KDC gave no ticket for the keytab");
    }

    private static Holder login(Map<String, String> options, @Nullable Login login, String otherwise)
            throws AuthFailure {
        try {
            LoginContext context = new LoginContext("proxy", new Subject(), new Answers(login), new Module(options));
            context.login();
            return new Holder(context.getSubject());
        } catch (LoginException | SecurityException e) { // its text may name files and principals: not for a guest
            LOG.debug("no login at a KDC: {}", e.toString());
            String text = String.valueOf(e.getMessage());
            boolean secret = login != null || options.containsKey("useKeyTab");
            boolean wrong = secret && (text.contains("(24)") || text.contains("(31)") || text.contains("Checksum"));
            throw new AuthFailure(
                    otherwise, wrong); // KDC_ERR_PREAUTH_FAILED, KRB_AP_ERR_BAD_INTEGRITY: RFC 4120 §7.5.9
        }
    }

    /**
     * Begins to talk to a proxy.
     *
     * @param host of the proxy, as the user wrote it
     */
    static GSSContext begin(Holder holder, String host) throws AuthFailure {
        return as(holder, () -> {
            GSSManager manager = GSSManager.getInstance();
            Oid spnego = new Oid(SPNEGO);
            GSSName service = manager.createName("HTTP@" + host, GSSName.NT_HOSTBASED_SERVICE);
            GSSCredential own =
                    manager.createCredential(null, GSSCredential.DEFAULT_LIFETIME, spnego, GSSCredential.INITIATE_ONLY);
            GSSContext context = manager.createContext(service, spnego, own, GSSContext.DEFAULT_LIFETIME);
            context.requestMutualAuth(false);
            context.requestCredDeleg(false);
            return context;
        });
    }

    /** The next token for the proxy; {@code received} is empty at first. */
    static byte[] next(Holder holder, GSSContext context, byte[] received) throws AuthFailure {
        return as(holder, () -> {
            byte[] token = context.initSecContext(received, 0, received.length);
            return token == null ? new byte[0] : token;
        });
    }

    private interface Step<T> {
        T run() throws GSSException;
    }

    private static <T> T as(Holder holder, Step<T> step) throws AuthFailure {
        try {
            return Subject.callAs(holder.subject, step::run);
        } catch (java.util.concurrent.CompletionException e) {
            throw new AuthFailure("Kerberos has no ticket for the proxy");
        }
    }

    /** What would stand in a login configuration file. Immutable. */
    private static final class Module extends Configuration {
        private final AppConfigurationEntry entry;

        Module(Map<String, String> options) {
            entry = new AppConfigurationEntry(MODULE, LoginModuleControlFlag.REQUIRED, options);
        }

        @Override
        public AppConfigurationEntry[] getAppConfigurationEntry(String name) {
            return new AppConfigurationEntry[] {entry};
        }
    }

    /** Confined to one login. */
    private record Answers(@Nullable Login login) implements CallbackHandler {
        @Override
        public void handle(Callback[] callbacks) throws IOException, UnsupportedCallbackException {
            for (Callback c : callbacks) {
                if (login == null) {
                    throw new UnsupportedCallbackException(c);
                } else if (c instanceof NameCallback name) {
                    name.setName(login.user());
                } else if (c instanceof PasswordCallback password) {
                    password.setPassword(login.password().toCharArray());
                }
            }
        }
    }

    private Kerberos() {}
}
