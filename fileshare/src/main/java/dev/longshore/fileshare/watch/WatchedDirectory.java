package dev.longshore.fileshare.watch;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A directory that is watched. There may be a hundred thousand, so it is its own entry of lists. Confined to the watch's thread. */
final class WatchedDirectory {
    final int dev;
    final long ino;
    final int wd;

    /** Null for one that was asked for. */
    @Nullable
    WatchedDirectory parent;

    /** Bytes as characters; of one that was asked for the whole path. */
    String name;

    /** If files are mounted and not the directory: their names. What else is in it is nobody's affair. */
    @Nullable
    Set<String> only;

    private @Nullable WatchedDirectory firstChild;
    private @Nullable WatchedDirectory next;

    WatchedDirectory(int wd, int dev, long ino, @Nullable WatchedDirectory parent, String name) {
        this.wd = wd;
        this.dev = dev;
        this.ino = ino;
        this.parent = parent;
        this.name = name;
        if (parent != null) {
            next = parent.firstChild;
            parent.firstChild = this;
        }
    }

    String path() {
        StringBuilder path = new StringBuilder();
        appendTo(path);
        return path.toString();
    }

    private void appendTo(StringBuilder path) {
        WatchedDirectory up = parent;
        if (up != null) {
            up.appendTo(path);
            path.append('/');
        }
        path.append(name);
    }

    @Nullable
    WatchedDirectory child(String named) {
        for (WatchedDirectory d = firstChild; d != null; d = d.next) {
            if (d.name.equals(named)) {
                return d;
            }
        }
        return null;
    }

    @Nullable
    WatchedDirectory firstChild() {
        return firstChild;
    }

    /** Takes it out of its parent's list. */
    @SuppressWarnings("ReferenceEquality") // each is itself
    void leave() {
        WatchedDirectory up = parent;
        if (up == null) {
            return;
        }
        if (up.firstChild == this) {
            up.firstChild = next;
        } else {
            for (WatchedDirectory d = up.firstChild; d != null; d = d.next) {
                if (d.next == this) {
                    d.next = next;
                    break;
                }
            }
        }
        next = null;
        parent = null;
    }

    void join(WatchedDirectory up, String as) {
        parent = up;
        name = as;
        next = up.firstChild;
        up.firstChild = this;
    }
}
