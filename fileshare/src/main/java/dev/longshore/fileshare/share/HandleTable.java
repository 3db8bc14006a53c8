package dev.longshore.fileshare.share;

import io.netty.util.collection.LongObjectHashMap;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The files and directories that the guest has open. Thread-safe: one lock, under which no system call is made. */
public final class HandleTable {
    private final NodeTable nodes;
    private final int max;
    private final LongObjectHashMap<Handle> handles = new LongObjectHashMap<>();
    private long nextId = 1;

    public HandleTable(NodeTable nodes, Limits limits) {
        this.nodes = nodes;
        this.max = limits.handles();
    }

    /**
     * A new one.
     *
     * @param fd becomes the handle's, unless there are too many
     * @return null if the guest has too many open
     */
    public @Nullable Handle open(Node node, int fd, boolean append, boolean writable) {
        Handle h;
        synchronized (this) {
            if (handles.size() >= max) {
                return null;
            }
            h = new Handle(nextId++, node, fd, append, writable);
            handles.put(h.id, h);
        }
        nodes.add(h);
        return h;
    }

    @Nullable
    Handle open(VirtualDirectory directory, byte[][] names, Node[] entries) {
        synchronized (this) {
            if (handles.size() >= max) {
                return null;
            }
            Handle h = new Handle(nextId++, directory, names, entries);
            handles.put(h.id, h);
            return h;
        }
    }

    /** For a request, which calls {@link NodeTable#release(Handle, Host)}; null if there is none, or its folder is no longer shared. */
    public @Nullable Handle use(long id) {
        Handle h;
        synchronized (this) {
            h = handles.get(id);
        }
        if (h == null || (h.node.share != null && !h.node.share.active)) {
            return null;
        }
        return nodes.use(h) ? h : null;
    }

    /** False if there is none. */
    public boolean close(long id, Host host) {
        Handle h;
        synchronized (this) {
            h = handles.remove(id);
        }
        if (h == null) {
            return false;
        }
        nodes.close(h, host);
        return true;
    }

    public void closeAll(Host host) {
        List<Handle> all;
        synchronized (this) {
            all = new ArrayList<>(handles.values());
            handles.clear();
        }
        all.forEach(h -> nodes.close(h, host));
    }

    public synchronized int size() {
        return handles.size();
    }
}
