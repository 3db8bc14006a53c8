package dev.longshore.fileshare.watch;

import dev.longshore.fileshare.watch.FileChange.Place;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the guest is to be told, one entry a file. Confined to the watch's thread.
 *
 * <h2>Theory of operation</h2>
 *
 * A storm on the host (a checkout, an installation) brings changes faster than the guest can hear them. Whoever edits a file then must not wait
 * until it is over. So there are two queues. What is new goes to {@link #fresh}, which is short: when it is full the oldest in it goes to
 * {@link #backlog}. The backlog is told when there is nothing fresh. A change waits at most for a full fresh queue then, whatever else has
 * happened. If the backlog is full, too, its oldest entry is dropped.
 *
 * <p>What happens to a file that is waiting is merged with it: a file that was made and removed is nothing, one that was moved twice has
 * moved once.
 */
final class ChangeQueue {
    /** Some tenths of a second of the guest's time. */
    static final int FRESH = 48;

    static final int BACKLOG = 16_384;

    private final LinkedHashMap<Place, FileChange> fresh = new LinkedHashMap<>();
    private final LinkedHashMap<Place, FileChange> backlog = new LinkedHashMap<>();
    private final int mostFresh;
    private final int mostBacklog;
    private long dropped;

    ChangeQueue() {
        this(FRESH, BACKLOG);
    }

    ChangeQueue(int mostFresh, int mostBacklog) {
        this.mostFresh = mostFresh;
        this.mostBacklog = mostBacklog;
    }

    // ---- what happens

    void created(Place at) {
        FileChange c = take(at);
        if (c == null) {
            c = new FileChange(at);
            c.isNew = true;
        }
        c.what |= FileChange.CREATED;
        put(c);
    }

    void gone(Place at, boolean directory) {
        FileChange c = take(at);
        if (c != null && c.from != null) {
            Place from = c.from;
            if (!c.has(FileChange.GONE)) { // nothing of it was told yet: it is gone from where it was
                gone(from, directory);
                return;
            }
            c.from = null;
        }
        if (c != null && c.isNew) {
            return;
        }
        if (c == null) {
            c = new FileChange(at);
        }
        c.what = FileChange.GONE;
        c.directory = directory;
        put(c);
    }

    void moved(Place from, Place to, boolean directory) {
        FileChange before = take(from);
        FileChange replaced = take(to);
        if (replaced != null && replaced.from != null) {
            gone(replaced.from, directory);
        }
        FileChange c = new FileChange(to);
        c.from = from;
        c.directory = directory;
        if (before != null) {
            c.what = before.what & ~(FileChange.GONE | FileChange.CREATED);
            if (before.from != null) {
                c.from = before.from;
            } else if (before.has(FileChange.GONE)) { // another file of that name, which is to be told as well
                FileChange old = new FileChange(from);
                old.what = FileChange.GONE;
                put(old);
            }
        }
        put(c);
    }

    void changed(Place at, int what) {
        FileChange c = take(at);
        if (c == null) {
            c = new FileChange(at);
        }
        c.what |= what;
        put(c);
    }

    private @Nullable FileChange take(Place at) {
        FileChange c = fresh.remove(at);
        return c == null ? backlog.remove(at) : c;
    }

    private void put(FileChange c) {
        fresh.put(c.place, c);
        if (fresh.size() > mostFresh) {
            FileChange oldest = first(fresh);
            backlog.put(oldest.place, oldest);
            if (backlog.size() > mostBacklog) {
                FileChange _ = first(backlog);
                dropped++;
            }
        }
    }

    private static FileChange first(Map<Place, FileChange> from) {
        Iterator<FileChange> all = from.values().iterator();
        FileChange c = all.next();
        all.remove();
        return c;
    }

    // ---- who tells

    boolean isEmpty() {
        return fresh.isEmpty() && backlog.isEmpty();
    }

    /** True if the guest hears more slowly than things happen: then each file's most important change has to do. */
    boolean isStorm() {
        return !backlog.isEmpty() || fresh.size() > mostFresh / 2;
    }

    /** What is to be told next; null if there is nothing. */
    @Nullable
    FileChange poll() {
        return !fresh.isEmpty() ? first(fresh) : !backlog.isEmpty() ? first(backlog) : null;
    }

    void clear() {
        fresh.clear();
        backlog.clear();
    }

    int size() {
        return fresh.size() + backlog.size();
    }

    /** Entries that there was no room for. */
    long dropped() {
        return dropped;
    }
}
