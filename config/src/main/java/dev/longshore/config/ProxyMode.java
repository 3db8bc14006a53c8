package dev.longshore.config;

/** Where an upstream proxy comes from. The settings {@code proxy.mode} and {@code containersProxy.mode}. */
public enum ProxyMode {
    /** What the host's environment says. */
    SYSTEM,
    /** What the settings of the group say. */
    MANUAL,
    /** None: connections are made directly. */
    NONE,
    /** The containers' only, written as an empty text: what the group {@code proxy} says. */
    LIKE_HOST
}
