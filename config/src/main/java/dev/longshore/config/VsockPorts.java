package dev.longshore.config;

/** The vsock addresses on which daemon and guest agent meet; {@code guest/agent.h} holds the same numbers. Immutable. */
public final class VsockPorts {
    /** The daemon: VMADDR_CID_HOST, linux/vm_sockets.h. */
    public static final long HOST_CID = 2;

    /** The guest, as announced in virtio-vsock's config space. */
    public static final long GUEST_CID = 3;

    /** In the guest: a relay to the Engine's socket, byte for byte. */
    public static final int DOCKER_API = 2375;

    /** In the guest: one command line, one answer line; {@code guest/control.c} lists them. */
    public static final int GUEST_CONTROL = 4100;

    /** On the host: one connection per published port; the port lives as long as the connection. */
    public static final int PORT_PUBLISH = 4098;

    /** On the host: a Unix socket of the host for a caller in the guest; the first line says which. */
    public static final int HOST_SOCKET = 4099;

    private VsockPorts() {}
}
