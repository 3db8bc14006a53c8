package dev.longshore.vpnkit.flow;

import org.jspecify.annotations.Nullable;

/**
 * Whose a flow is, from its first packet to its end: whoever had the guest's address then. If that is learned late, what was
 * counted until then is counted for the container after all; if never, for nobody. Confined to the link's event loop.
 */
public final class FlowOwner {
    private @Nullable ContainerIdentity identity;

    private @Nullable ContainerAccount account;
    private long heldFromGuest;
    private long heldToGuest;
    private boolean settled;

    /** The directory's generation at the last look: see {@link FlowOwners#isStale}. */
    long lookedAt;

    private boolean ended;

    FlowOwner() {}

    /** For a network that attributes nothing. */
    public static FlowOwner nobody() {
        FlowOwner owner = new FlowOwner();
        owner.settled = true;
        return owner;
    }

    /** Null for the guest itself, and where it is not known (yet). */
    public @Nullable ContainerIdentity identity() {
        return identity;
    }

    /** Payload the guest sent, in bytes. */
    public void countFromGuest(long bytes) {
        ContainerAccount to = account;
        if (to == null) {
            heldFromGuest += bytes;
        } else {
            to.addFromGuest(bytes);
        }
    }

    /** Payload the guest got, in bytes. */
    public void countToGuest(long bytes) {
        ContainerAccount to = account;
        if (to == null) {
            heldToGuest += bytes;
        } else {
            to.addToGuest(bytes);
        }
    }

    /** The flow is over. Idempotent. */
    public void end() {
        if (!ended) {
            ended = true;
            ContainerAccount had = account;
            if (had != null) {
                had.flowEnded();
            }
        }
    }

    /** Once, for good. {@code counting}: null if there are too many containers to count each. */
    void settle(@Nullable ContainerIdentity who, @Nullable ContainerAccount counting) {
        if (settled) {
            return;
        }
        settled = true;
        identity = who;
        account = counting;
        if (counting != null) {
            counting.flowOpened();
            counting.addFromGuest(heldFromGuest);
            counting.addToGuest(heldToGuest);
            if (ended) {
                counting.flowEnded();
            }
        }
    }
}
