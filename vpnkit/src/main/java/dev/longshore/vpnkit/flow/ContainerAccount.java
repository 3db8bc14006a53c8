package dev.longshore.vpnkit.flow;

import dev.longshore.packet.wire.IpAddress;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * What one container's flows came to. Thread-safe as {@link dev.longshore.vpnkit.count.Counters}: one writer, the link's event
 * loop, which stores opaque; any reader.
 */
public final class ContainerAccount {
    private static final VarHandle FLOWS = field("flows");
    private static final VarHandle FROM_GUEST = field("bytesFromGuest");
    private static final VarHandle TO_GUEST = field("bytesToGuest");

    private final ContainerIdentity identity;
    private long flows;
    private long bytesFromGuest;
    private long bytesToGuest;

    /** Flows that have not ended. The loop's alone, as the next one. */
    private int live;

    /** Where it was met last. */
    private IpAddress address;

    ContainerAccount(ContainerIdentity identity, IpAddress address) {
        this.identity = identity;
        this.address = address;
    }

    private static VarHandle field(String name) {
        try {
            return MethodHandles.lookup().findVarHandle(ContainerAccount.class, name, long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** As it was at its first flow. */
    public ContainerIdentity identity() {
        return identity;
    }

    /** Opened by either side, so far. */
    public long flows() {
        return (long) FLOWS.getOpaque(this);
    }

    /** Payload, so far. */
    public long bytesFromGuest() {
        return (long) FROM_GUEST.getOpaque(this);
    }

    /** Payload, so far; of TCP, what was acknowledged. */
    public long bytesToGuest() {
        return (long) TO_GUEST.getOpaque(this);
    }

    void addFromGuest(long bytes) {
        FROM_GUEST.setOpaque(this, bytesFromGuest + bytes);
    }

    void addToGuest(long bytes) {
        TO_GUEST.setOpaque(this, bytesToGuest + bytes);
    }

    void flowOpened() {
        FLOWS.setOpaque(this, flows + 1);
        live++;
    }

    void flowEnded() {
        live--;
    }

    boolean hasFlows() {
        return live > 0;
    }

    IpAddress address() {
        return address;
    }

    void metAt(IpAddress now) {
        address = now;
    }
}
