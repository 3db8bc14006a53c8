package dev.longshore.fileshare.share;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * A shared folder as it is now. Its mutable fields are guarded by the {@link NodeTable}; {@link #active} may be read by anyone.
 */
final class Share {
    final SharedFolder folder;

    /** The folder's path, for the host. */
    final byte[] path;

    /** Null until the guest first looks at it; replaced if there is another folder at its path by then. */
    @Nullable
    Node root;

    /** Where the root was when it was opened, as the kernel tells it; null if it does not. What is not below it is not shared. */
    volatile byte @Nullable [] place;

    /** Directories in it that belong to whoever asks. */
    @Nullable
    AccessorTree accessor;

    /** False once the folder is no longer shared: from then on the guest's nodes of it are stale. */
    volatile boolean active = true;

    Share(SharedFolder folder) {
        this.folder = folder;
        this.path = folder.path().toString().getBytes(StandardCharsets.UTF_8);
    }
}
