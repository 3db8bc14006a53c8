package dev.longshore.fileshare.share;

import org.jspecify.annotations.Nullable;

/** Nodes with a descriptor, by the time of their last use; linked through themselves. Guarded by the {@link NodeTable}. */
@SuppressWarnings("ReferenceEquality") // a node is itself and nothing equals it
final class NodeList {
    private @Nullable Node newest;
    private @Nullable Node oldest;
    private int count;

    int count() {
        return count;
    }

    @Nullable
    Node oldest() {
        return oldest;
    }

    void addNewest(Node n) {
        n.older = newest;
        n.newer = null;
        if (newest != null) {
            newest.newer = n;
        } else {
            oldest = n;
        }
        newest = n;
        count++;
    }

    void remove(Node n) {
        if (n.newer != null) {
            n.newer.older = n.older;
        } else {
            newest = n.older;
        }
        if (n.older != null) {
            n.older.newer = n.newer;
        } else {
            oldest = n.newer;
        }
        n.newer = null;
        n.older = null;
        count--;
    }

    void touch(Node n) {
        if (n != newest) {
            remove(n);
            addNewest(n);
        }
    }
}
