package dev.longshore.fileshare.share;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * What the guest changed lately by way of the file server, so that whoever watches the host's files need not tell the guest: its
 * watchers have heard of it. Thread-safe, without locks. A record that is lost, because another one takes its place, makes the guest hear
 * of its own change twice, no more.
 *
 * <p>A change of a name is one event of inotify, so it is recorded before it is made, and taken by the event. Changes of a file's content or
 * attributes are merged by inotify; of these the time is kept, which is not before the file's ctime until somebody else changes it.
 */
public final class OwnChanges {
    /** What happens to a name. */
    public enum Name {
        CREATED(0),
        GONE(1),
        MOVED_FROM(2),
        MOVED_TO(3);

        private final int salt;

        Name(int salt) {
            this.salt = salt;
        }
    }

    private static final int SLOTS = 1 << 15;
    // Of a slot: which name it is of, as far as the slot does not say so; how often; milliseconds since 1970, until
    // 2109.
    private static final long TIME_MASK = (1L << 42) - 1;
    private static final long ONE = 1L << 42;
    private static final long COUNT_MASK = 15L << 42;
    private static final long TAG_MASK = -1L << 46;

    /** An event that has not come by then does not come: the directory is not watched. */
    private static final long NAME_MILLIS = 10_000;

    private final AtomicLongArray names = new AtomicLongArray(SLOTS);
    private final AtomicLongArray files = new AtomicLongArray(SLOTS);
    private volatile boolean wanted;

    /** Whether anybody asks: else nothing is recorded. */
    public void want(boolean some) {
        wanted = some;
    }

    public boolean isWanted() {
        return wanted;
    }

    // ---- names

    /** The guest is about to do that to a name in the directory. */
    public void begin(Node directory, MemorySegment name, int length, Name what) {
        if (!wanted) {
            return;
        }
        long key = key(directory, name, length, what);
        long now = System.currentTimeMillis();
        long found;
        long more;
        do {
            found = names.get(slot(key));
            long before = isOf(found, key, now) ? found & COUNT_MASK : 0;
            more = before == COUNT_MASK ? before : before + ONE;
        } while (!names.compareAndSet(slot(key), found, (key & TAG_MASK) | more | (now & TIME_MASK)));
    }

    /** It could not be done. */
    public void withdraw(Node directory, MemorySegment name, int length, Name what) {
        if (wanted) {
            boolean _ = take(key(directory, name, length, what));
        }
    }

    /** True, once, if the guest has done that. */
    public boolean take(int dev, long ino, byte[] name, Name what) {
        return take(key(dev, ino, NameHash.of(name), what));
    }

    private boolean take(long key) {
        long now = System.currentTimeMillis();
        while (true) {
            long found = names.get(slot(key));
            if (!isOf(found, key, now)) {
                return false;
            }
            long less = (found & COUNT_MASK) == ONE ? 0 : found - ONE;
            if (names.compareAndSet(slot(key), found, less)) {
                return true;
            }
        }
    }

    private static boolean isOf(long value, long key, long now) {
        return (value & COUNT_MASK) != 0
                && (value & TAG_MASK) == (key & TAG_MASK)
                && (value & TIME_MASK) > now - NAME_MILLIS;
    }

    /** Events were lost: records of names would wait for them in vain. */
    public void forgetNames() {
        for (int i = 0; i < SLOTS; i++) {
            names.set(i, 0);
        }
    }

    private static long key(Node directory, MemorySegment name, int length, Name what) {
        return key(directory.dev, directory.ino, NameHash.of(name, length), what);
    }

    private static long key(int dev, long ino, long name, Name what) {
        return mix(mix(ino + ((long) dev << 32)) + name * 4L + what.salt);
    }

    // ---- files

    /** The guest is about to change it: what is seen until {@link #touched} is the guest's. */
    public void touching(int dev, long ino) {
        if (wanted) {
            long key = mix(ino + ((long) dev << 32));
            files.set(slot(key), value(key, System.currentTimeMillis() + NAME_MILLIS));
        }
    }

    /** The guest has changed the file's content or attributes, or could not. */
    public void touched(int dev, long ino) {
        if (wanted) {
            long key = mix(ino + ((long) dev << 32));
            files.set(slot(key), value(key, System.currentTimeMillis()));
        }
    }

    /**
     * True if the last who changed the file was the guest.
     *
     * @param ctime the file's, nanoseconds since 1970
     */
    public boolean wasLast(int dev, long ino, long ctime) {
        long key = mix(ino + ((long) dev << 32));
        long found = files.get(slot(key));
        return (found & ~TIME_MASK) == (key & ~TIME_MASK) && (found & TIME_MASK) >= ctime / 1_000_000;
    }

    private static int slot(long key) {
        return (int) key & (SLOTS - 1);
    }

    private static long value(long key, long millis) {
        return (key & ~TIME_MASK) | (millis & TIME_MASK);
    }

    /** The finalizer of splitmix64. */
    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58_476D_1CE4_E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D0_49BB_1331_11EBL;
        return z ^ (z >>> 31);
    }
}
