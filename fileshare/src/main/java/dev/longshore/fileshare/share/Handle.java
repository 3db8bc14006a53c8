package dev.longshore.fileshare.share;

import org.jspecify.annotations.Nullable;

/** A file or directory that the guest has open. Mutable fields are guarded by the {@link NodeTable}, except where said. */
public final class Handle {
    final long id;
    final Node node;

    /** -1 for a virtual directory. */
    final int fd;

    private final boolean append;
    private final boolean writable;

    /** What a virtual directory held when it was opened. */
    private final byte @Nullable [][] names;

    private final Node @Nullable [] entries;

    /** Requests that use {@link #fd} now. */
    int users;

    boolean closed;

    @Nullable
    Handle nextOfNode;

    /** Where the directory's next entries are read; used by one request at a time, which holds this object's lock. */
    private long position;

    private long bytesRead;
    private long bytesWritten;

    Handle(long id, Node node, int fd, boolean append, boolean writable) {
        this.id = id;
        this.node = node;
        this.fd = fd;
        this.append = append;
        this.writable = writable;
        names = null;
        entries = null;
    }

    Handle(long id, VirtualDirectory directory, byte[][] names, Node[] entries) {
        this.id = id;
        this.node = directory;
        this.fd = -1;
        append = false;
        writable = false;
        this.names = names;
        this.entries = entries;
    }

    public long id() {
        return id;
    }

    public Node node() {
        return node;
    }

    public int fd() {
        return fd;
    }

    /** Opened with O_APPEND by the guest. */
    public boolean isAppend() {
        return append;
    }

    public boolean isWritable() {
        return writable;
    }

    public boolean isVirtual() {
        return names != null;
    }

    public int entryCount() {
        return names == null ? 0 : names.length;
    }

    public byte[] entryName(int at) {
        if (names == null) {
            throw new IllegalStateException("not a virtual directory");
        }
        return names[at];
    }

    public Node entry(int at) {
        if (entries == null) {
            throw new IllegalStateException("not a virtual directory");
        }
        return entries[at];
    }

    /** Counts bytes of the file that the guest got and gave, while somebody wants to know. Thread-safe, as what follows. */
    public synchronized void moved(long read, long written) {
        bytesRead += read;
        bytesWritten += written;
    }

    public synchronized long bytesRead() {
        return bytesRead;
    }

    public synchronized long bytesWritten() {
        return bytesWritten;
    }

    public long position() {
        return position;
    }

    public void position(long position) {
        this.position = position;
    }
}
