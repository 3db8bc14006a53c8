package dev.longshore.vpnkit.dns;

/** Says which names are of no use to anybody in the guest. Confined to the link's event loop; never throws. */
@FunctionalInterface
public interface NamePolicy {
    /** Nothing is refused. */
    NamePolicy OPEN = _ -> false;

    /**
     * True if nobody in the guest may connect to anything by this name, whatever its addresses are.
     *
     * @param name in lower case, without a last dot
     */
    boolean refuses(String name);
}
