package dev.longshore.config;

/** Which host addresses a published port may be bound to. The setting {@code ports.binding}; Docker Desktop's words. */
public enum PortBinding {
    /** {@code -p 80:80} binds all addresses of the host; an address given by the user is taken. */
    DEFAULT_PORT_BINDING,
    /** {@code -p 80:80} binds the loopback only; an address given by the user is taken. */
    DEFAULT_LOCAL_PORT_BINDING,
    /** Whatever the user gives, the loopback is bound. */
    LOCAL_ONLY_PORT_BINDING
}
