package dev.longshore.engine.policy;

/** Where the source of a bind mount is. Immutable. */
public sealed interface BindSource {
    /** In the guest, under this absolute path. */
    record InGuest(String path) implements BindSource {}

    /** Not among those that were asked. */
    record Unknown() implements BindSource {}

    /**
     * Known, and not to be had.
     *
     * @param leadsTo what the path means, links followed; it is not shared, though the path is below a folder that is
     */
    record Denied(String leadsTo) implements BindSource {}

    /**
     * Shared with nobody, though the path is below a folder that is shared.
     *
     * @param reason a sentence for the user
     */
    record Withheld(String reason) implements BindSource {}

    /**
     * Known, and can't be mounted.
     *
     * @param status of the answer, 400..599
     * @param message for the user
     */
    record Unusable(int status, String message) implements BindSource {}

    BindSource UNKNOWN = new Unknown();
}
