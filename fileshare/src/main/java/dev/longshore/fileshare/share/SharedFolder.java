package dev.longshore.fileshare.share;

import java.nio.file.Path;

/**
 * A folder of the host that the guest may see, as configured. Immutable.
 *
 * @param path absolute, normalized and without links: while there is one in it, the folder is absent
 * @param accessor true if files without an owner of their own (override) seem to belong to whoever asks
 * @param readOnly true if nothing in it may be changed
 */
public record SharedFolder(Path path, boolean accessor, boolean readOnly) {
    public SharedFolder {
        if (!path.isAbsolute() || !path.equals(path.normalize())) {
            throw new IllegalArgumentException("not an absolute, normalized path: " + path);
        }
    }

    public SharedFolder(Path path) {
        this(path, false, false);
    }
}
