package dev.longshore.config;

/** How the daemon says to an upstream proxy who it is. The setting {@code proxy.authScheme}. */
public enum ProxyScheme {
    /** The strongest one that the proxy offers and that can be used. */
    AUTO,
    NEGOTIATE,
    DIGEST,
    NTLM,
    BASIC
}
