package dev.longshore.engine.policy;

/** What an {@link ApiPolicy} decided. Immutable. */
public sealed interface ApiVerdict {
    /** The Engine gets the request as it came. */
    record Pass() implements ApiVerdict {}

    /** The Engine gets the body with the changes that the policy made in it. */
    record Changed() implements ApiVerdict {}

    /**
     * The Engine does not get to see it.
     *
     * @param status of the answer, 400..599
     * @param message for the user: the docker command prints it
     */
    record Refused(int status, String message) implements ApiVerdict {}

    ApiVerdict PASS = new Pass();

    ApiVerdict CHANGED = new Changed();
}
