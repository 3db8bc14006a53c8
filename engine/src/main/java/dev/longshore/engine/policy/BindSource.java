package dev.longshore.engine.policy;

/** Where the source of a bind mount is. Immutable. */
public sealed interface BindSource {
    /** In the guest, under this absolute path. */
    record InGuest(String path) implements BindSource {}

    /** Not among those that were asked. */
    record Unknown() implements BindSource {}

    BindSource UNKNOWN = new Unknown();
}
