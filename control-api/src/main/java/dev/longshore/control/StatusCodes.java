package dev.longshore.control;

import io.grpc.Status;
import io.grpc.StatusException;

/** The only place where a failure becomes a gRPC status. */
final class StatusCodes {
    private StatusCodes() {}

    static StatusException of(Outcome.Reason reason, String text) {
        return code(reason).withDescription(text).asException();
    }

    /** A bug of ours: the caller learns that it is one, and the log has the rest. */
    static StatusException ofBug() {
        return Status.INTERNAL
                .withDescription("an error inside the daemon; its log has the details")
                .asException();
    }

    private static Status code(Outcome.Reason reason) {
        return switch (reason) {
            case INVALID -> Status.INVALID_ARGUMENT;
            case NOT_FOUND -> Status.NOT_FOUND;
            case TAKEN -> Status.ALREADY_EXISTS;
            case FORBIDDEN -> Status.PERMISSION_DENIED;
            case WRONG_STATE -> Status.FAILED_PRECONDITION;
            case LIMIT -> Status.RESOURCE_EXHAUSTED;
            case FAILED -> Status.UNAVAILABLE;
            case CANCELLED -> Status.ABORTED;
        };
    }
}
