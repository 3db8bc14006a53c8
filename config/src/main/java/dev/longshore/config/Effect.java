package dev.longshore.config;

/** When a new value of a setting begins to count. */
public enum Effect {
    /** At once, in a running guest too. */
    LIVE,
    /** With the guest's next start. */
    GUEST_RESTART,
    /** Accepted and kept, and nothing acts on it yet. */
    NONE_YET,
    /** Nothing here will act on it: asking for it is refused, or warned of where it stands in a file. */
    UNSUPPORTED
}
