package dev.longshore.linux;

/**
 * The descriptors that came with one {@link Linux#recvmsg}. Confined to the thread of its {@link Linux}. Whoever takes a
 * descriptor owns it; those not taken are closed by {@link #closeAll}.
 */
public final class ReceivedFds {
    /** Linux passes up to 253; vhost-user needs 8 at most. More than this sets {@link #truncated}. */
    public static final int MAX = 8;

    private final Linux linux;
    private final int[] fds = new int[MAX];
    private int count;
    private boolean truncated;

    public ReceivedFds(Linux linux) {
        this.linux = linux;
    }

    public int count() {
        return count;
    }

    /** True if the sender attached more descriptors than fit: the kernel has closed the rest. */
    public boolean truncated() {
        return truncated;
    }

    /** The descriptor at position {@code i}, or -1 if it was taken already. Still owned by this list. */
    public int peek(int i) {
        return fds[i];
    }

    /** Hands the descriptor at position {@code i} to the caller, who closes it; -1 if there is none. */
    public int take(int i) {
        if (i >= count) {
            return -1;
        }
        int fd = fds[i];
        fds[i] = -1;
        return fd;
    }

    /** Closes what was not taken and forgets everything. */
    public void closeAll() {
        for (int i = 0; i < count; i++) {
            if (fds[i] >= 0) {
                linux.close(fds[i]);
            }
        }
        count = 0;
        truncated = false;
    }

    void add(int fd) {
        if (count == MAX) {
            truncated = true;
            linux.close(fd);
        } else {
            fds[count++] = fd;
        }
    }

    void markTruncated() {
        truncated = true;
    }
}
