package dev.longshore.control;

/** How a command ended. Immutable. */
public sealed interface Outcome<T> {
    record Done<T>(T value) implements Outcome<T> {}

    /**
     * It did not work.
     *
     * @param text for the user; no secrets
     */
    record Failed<T>(Reason reason, String text) implements Outcome<T> {}

    /** The value of a command that has none. */
    enum Nothing {
        NOTHING
    }

    /** Why a command failed, in the words of the caller's side. */
    enum Reason {
        /** The request makes no sense. */
        INVALID,
        NOT_FOUND,
        /** Somebody else has it: a port. */
        TAKEN,
        /** The host or a setting forbids it. */
        FORBIDDEN,
        /** Not now: the guest does not run, or is stopping. */
        WRONG_STATE,
        /** A bound on what may be held at a time. */
        LIMIT,
        /** Tried, and it did not work. */
        FAILED,
        /** Another command took its place, as a stop does with a start. */
        CANCELLED
    }
}
