package dev.longshore.control;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** What the control socket asks of the file server. Thread-safe. Everything fails with WRONG_STATE if no guest runs. */
public interface FilesControl {
    /** What is shared, with whom, and how it is used. LIMIT if the Engine does not say who mounts what. */
    CompletionStage<Outcome<Shared>> shared();

    /**
     * Begins to watch what the guest does to the host's files. Fails with WRONG_STATE, INVALID or LIMIT as in {@code files.proto}.
     *
     * @param under a path of the host, or empty for all
     * @param wake called on any thread when there is something to drain, or there will be nothing any more; must be quick
     */
    Outcome<Watch> watch(String under, Runnable wake);

    /** One watch. Thread-safe, with one caller of {@link #drain}. */
    interface Watch {
        /** What waits, oldest first: at most {@code most}. */
        List<Access> drain(int most);

        /** How many were not kept, since this was last asked. */
        long takeLost();

        /** True if nothing will be added to what waits. Before the last {@link #drain}: ask first, then drain. */
        boolean ended();

        /** Nothing is added any more. Idempotent. */
        void end();
    }

    /** As in {@code files.proto}. */
    record Access(
            long epochMillis,
            String kind,
            String path,
            String to,
            int uid,
            int gid,
            int pid,
            int errno,
            String error,
            long bytesRead,
            long bytesWritten) {}

    /** As in {@code files.proto}. Immutable. */
    record Shared(List<Folder> folders, List<String> withheld, Figures figures, Events events) {
        public Shared {
            folders = List.copyOf(folders);
            withheld = List.copyOf(withheld);
        }
    }

    /** As in {@code files.proto}. Immutable. */
    record Folder(String path, boolean present, List<Mount> mounts) {
        public Folder {
            mounts = List.copyOf(mounts);
        }
    }

    /** As in {@code files.proto}. Immutable. */
    record Mount(
            String containerId,
            String containerName,
            boolean running,
            String source,
            String target,
            boolean readOnly) {}

    /** As in {@code files.proto}. Immutable. */
    record Figures(
            long requests,
            long errors,
            long bytesRead,
            long bytesWritten,
            long nodes,
            long descriptors,
            long requestsUnderWay) {}

    /** As in {@code files.proto}. Immutable. */
    record Events(
            boolean enabled,
            long directories,
            long unwatched,
            long told,
            long unheard,
            long own,
            long dropped,
            long lost,
            long waiting) {}

    /** Where there is no file server at all, for the reason. */
    static FilesControl none(String reason) {
        return new FilesControl() {
            @Override
            public CompletionStage<Outcome<Shared>> shared() {
                return CompletableFuture.completedStage(new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, reason));
            }

            @Override
            public Outcome<Watch> watch(String under, Runnable wake) {
                return new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, reason);
            }
        };
    }
}
