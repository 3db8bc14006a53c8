package dev.longshore.control;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** What the control socket asks of the file server. Thread-safe. Everything fails with WRONG_STATE if no guest runs. */
public interface FilesControl {
    /** What is shared, with whom, and how it is used. LIMIT if the Engine does not say who mounts what. */
    CompletionStage<Outcome<Shared>> shared();

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
        return () -> CompletableFuture.completedStage(new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, reason));
    }
}
