package dev.longshore.fileshare.fuse;

import org.jspecify.annotations.Nullable;

/** Who wants to know what the guest does. Thread-safe. */
final class AccessTap {
    private volatile FileAccess.@Nullable Listener listener;

    FileAccess.@Nullable Listener listener() {
        return listener;
    }

    boolean isOpen() {
        return listener != null;
    }

    void listener(FileAccess.@Nullable Listener listener) {
        this.listener = listener;
    }
}
