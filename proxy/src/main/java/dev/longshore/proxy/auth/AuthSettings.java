package dev.longshore.proxy.auth;

import java.util.EnumSet;
import java.util.Set;

/**
 * Immutable.
 *
 * @param schemes those that may be used
 */
public record AuthSettings(Set<Scheme> schemes) {
    public static final AuthSettings DEFAULT = new AuthSettings(EnumSet.allOf(Scheme.class));

    public AuthSettings {
        schemes = Set.copyOf(schemes);
    }

    /** Negotiate and NTLM as the user wants. */
    public static AuthSettings of(boolean enableKerberosNtlm) {
        return enableKerberosNtlm ? DEFAULT : new AuthSettings(EnumSet.of(Scheme.DIGEST, Scheme.BASIC));
    }
}
