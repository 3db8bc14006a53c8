package dev.longshore.proxy.auth;

import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Immutable.
 *
 * @param schemes those that may be used
 * @param keytab in place of the user's ticket cache, or null
 */
public record AuthSettings(Set<Scheme> schemes, @Nullable Keytab keytab) {
    public static final AuthSettings DEFAULT = new AuthSettings(EnumSet.allOf(Scheme.class), null);

    public AuthSettings {
        schemes = Set.copyOf(schemes);
    }

    /** Negotiate and NTLM as the user wants. */
    public static AuthSettings of(boolean enableKerberosNtlm) {
        return of(enableKerberosNtlm, null, null);
    }

    /**
     * As the user wants.
     *
     * @param only the one scheme to use, whatever else is wanted; null for all
     */
    public static AuthSettings of(boolean enableKerberosNtlm, @Nullable Scheme only, @Nullable Keytab keytab) {
        if (only != null) {
            return new AuthSettings(EnumSet.of(only), keytab);
        }
        Set<Scheme> schemes =
                enableKerberosNtlm ? EnumSet.allOf(Scheme.class) : EnumSet.of(Scheme.DIGEST, Scheme.BASIC);
        return new AuthSettings(schemes, keytab);
    }
}
