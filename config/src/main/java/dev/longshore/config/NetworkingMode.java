package dev.longshore.config;

/** Which families the guest reaches the world by. The setting {@code defaultNetworkingMode}; Docker Desktop's words. */
public enum NetworkingMode {
    DUAL_STACK,
    IPV4ONLY,
    IPV6ONLY
}
