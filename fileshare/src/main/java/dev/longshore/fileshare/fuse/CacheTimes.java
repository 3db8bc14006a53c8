package dev.longshore.fileshare.fuse;

/**
 * How long the guest's kernel may believe what it was told without asking again, in nanoseconds. Immutable.
 *
 * @param entry that a name leads to this inode
 * @param attributes of an inode
 * @param absence that there is no such name
 */
public record CacheTimes(long entry, long attributes, long absence) {
    private static final long SECOND = 1_000_000_000L;

    /** What happens on the host is seen after a second at the latest, and by open(2) at once. */
    public static final CacheTimes AUTO = new CacheTimes(SECOND, SECOND, SECOND);

    /** Everything is asked again. */
    public static final CacheTimes NONE = new CacheTimes(0, 0, 0);

    public CacheTimes {
        if (entry < 0 || attributes < 0 || absence < 0) {
            throw new IllegalArgumentException("negative time");
        }
    }
}
