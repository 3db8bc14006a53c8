package dev.longshore.fileshare.share;

import dev.longshore.fileshare.os.Stat;
import org.jspecify.annotations.Nullable;

/**
 * One inode that the guest knows: of a shared folder, or a {@link VirtualDirectory}. There may be millions, so it is its own
 * entry of all lists and tables. Mutable fields are guarded by the {@link NodeTable}, except where said.
 */
public class Node {
    /** The guest's name for it, never used twice. */
    final long id;

    /** {@link Stat#dev}; with {@link #ino} it says which file of the host this is. */
    final int dev;

    final long ino;

    /** {@link Stat#birth}: tells a new file from the one whose inode number it got. */
    final long birth;

    /** S_IFREG and the like, the host's. */
    final int type;

    /** Null for virtual directories. */
    @Nullable
    Share share;

    /** Where it was last seen; both null for roots. The name alone is null if it has none any more. */
    @Nullable
    Node parent;

    byte @Nullable [] name;

    /** Whether it, or what is below it, belongs to whoever asks; null if not. Read without the lock: a change counts from the next look. */
    @Nullable
    AccessorTree accessor;

    /** How often the guest was told of it less how often it forgot, as in {@code fuse_lookup}; saturates. */
    int lookups;

    /** Nodes of the table whose {@link #parent} it is: as long as there are any it stays in the table, and counts. */
    int children;

    /** Requests that use {@link #fd} now. */
    int pins;

    /** O_PATH; -1 if not open. */
    int fd = -1;

    /** Not removed when the guest forgets it: a root. */
    boolean fixed;

    /** Has lost a name while the guest still knew it: to be kept open, for it may not be found again. */
    boolean kept;

    /** No longer in the table; lives on until its requests are done. */
    boolean removed;

    @Nullable
    Handle handles;

    @Nullable
    Node nextById;

    @Nullable
    Node nextByKey;

    /** Of those with the same {@link #parent} and {@link #name}, and others in the same bucket. */
    @Nullable
    Node nextByName;

    @Nullable
    Node newer;

    @Nullable
    Node older;

    // Of the overrides: written by whoever has just read them; a reader checks ctime first. Races lose a cached value,
    // no more.

    /** What {@link #override} was read with: valid as long as the inode has this ctime. 0: never read. */
    volatile long overrideCtime;

    volatile @Nullable OwnerOverride override;

    /** The ctime of the content that the guest's cache may have, 0 if unknown. */
    volatile long cachedCtime;

    Node(long id, int dev, long ino, long birth, int type) {
        this.id = id;
        this.dev = dev;
        this.ino = ino;
        this.birth = birth;
        this.type = type;
    }

    public long id() {
        return id;
    }

    /** The host's: S_IFREG and the like. */
    public int type() {
        return type;
    }

    public boolean isDirectory() {
        return type == Stat.S_IFDIR;
    }

    public boolean isRegular() {
        return type == Stat.S_IFREG;
    }

    /** The host's inode number. */
    public long ino() {
        return ino;
    }

    public int dev() {
        return dev;
    }

    /** True if {@code stat}, the host's, is of this very file. */
    final boolean is(Stat stat) {
        return stat.ino() == ino && stat.dev() == dev && stat.type() == type && stat.birth() == birth;
    }

    /** The ctime of the content that the guest's cache may have; 0 if unknown. */
    public long cachedCtime() {
        return cachedCtime;
    }

    public void cachedCtime(long ctime) {
        cachedCtime = ctime;
    }
}
