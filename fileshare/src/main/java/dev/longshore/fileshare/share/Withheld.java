package dev.longshore.fileshare.share;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.PathWalk;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Stat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Directories of the host that no guest gets, though a shared folder holds them: those of this program, with which a guest could share
 * with itself whatever it wants. In their place the guest sees empty directories that nobody can change. Thread-safe: what is known
 * is immutable, and looked at anew under one lock, by system calls.
 *
 * <h2>Theory of operation</h2>
 *
 * Each path is walked from the root of the file system. Every name on the way, links included, is a <em>slot</em>: a directory (device,
 * inode number) and a name in it. The last one is withheld; the others are passages, which the guest may use but neither remove nor move,
 * nor make anything but a directory of: else it could put a directory of its own in the place that this program will look at.
 * What is not there yet has its slot, too.
 *
 * <p>Whoever on the host moves things about changes what the slots are. So a request for a slot, or for any name that slots have or the paths
 * do, has all paths walked again first, and any other request if that was done more than {@link #BELIEVED_NANOS} ago: some six system calls for
 * each name of a path. What was a slot stays one, and what was withheld stays so, as long as it exists: who moves a folder away and back would
 * else leave a moment in which the guest takes what is in it. A descriptor of each keeps its inode number from being another's. By these a
 * withheld directory that is found elsewhere (moved, or mounted twice) is known, too. Of what the paths do not meet any more
 * the eldest is given up ({@link #MOST}), and as long as it is not, a file system that it is on can't be unmounted.
 *
 * <p>What the guest knew of a directory before somebody on the host made it one of these, or learns before the next walk, is not taken from it.
 */
public final class Withheld implements AutoCloseable {
    /** What a name in a directory means. */
    public enum Place {
        FREE,
        PASSAGE,
        WITHHELD
    }

    /** Instead of the index of the path whose last name it is. */
    private static final int PASSAGE = -1;

    private static final int NONE = -2;

    private record Inode(int dev, long ino) {
        boolean is(Stat s) {
            return ino == s.ino() && dev == s.dev();
        }
    }

    /** A name in a directory. */
    private record Slot(Inode directory, ByteBuffer name) {}

    /** A slot or a file, and the index of the path that ends with it, or {@link #PASSAGE}. */
    private record At<T>(T what, int path) {}

    /**
     * @param names of slots and of the paths, so of what a walk meets now or would meet next: for these all paths are walked anew
     * @param places where the paths lead to, without links
     * @param at {@link System#nanoTime} before the walk
     */
    private record Known(
            List<At<Slot>> slots, List<At<Inode>> files, List<ByteBuffer> names, List<Path> places, long at) {}

    /** For so long a walk is believed by requests for other names. */
    private static final long BELIEVED_NANOS = 100_000_000;

    /** Of slots, and of files that are known, for each path, unless it meets more of them now. */
    private static final int MOST = 64;

    private static final byte[] HERE = {'.'};

    private final List<Path> paths;
    private final VirtualDirectory[] masks;
    private final PathWalk walk = new PathWalk();
    private final Posix posix = new Posix();
    private final Stat stat = new Stat();

    /** Descriptors of all that is known, -1 where none was to be had; what was met last is last. */
    private final Map<Inode, Integer> pinned = new LinkedHashMap<>();

    /** What was met last is last. */
    private final Map<Slot, Integer> slots = new LinkedHashMap<>();

    private final Map<Inode, Integer> files = new HashMap<>();

    // What the walk that is going on has met.
    private final Set<Slot> slotsMet = new HashSet<>();
    private final Set<Inode> filesMet = new HashSet<>();

    private boolean closed;
    private volatile Known known = new Known(List.of(), List.of(), List.of(), List.of(), 0);

    /** @param paths absolute and normalized; links in them are followed */
    public Withheld(List<Path> paths, NodeTable nodes) {
        this.paths = List.copyOf(paths);
        masks = new VirtualDirectory[paths.size()];
        for (int i = 0; i < masks.length; i++) {
            masks[i] = nodes.newVirtualDirectory(false);
        }
        look();
    }

    private synchronized Known look() {
        if (closed) {
            return known;
        }
        long at = System.nanoTime();
        forgetTheGone();
        slotsMet.clear();
        filesMet.clear();
        Set<ByteBuffer> names = new HashSet<>();
        List<Path> places = new ArrayList<>();
        for (int i = 0; i < paths.size(); i++) {
            int path = i;
            int fd = walk.open(paths.get(i), (dir, directory, name, found, last) -> {
                boolean end = last && (found == null || found.type() != Stat.S_IFLNK);
                met(new Slot(pin(dir, HERE, directory), ByteBuffer.wrap(name)), end ? path : PASSAGE);
                if (found != null) {
                    files.merge(pin(dir, name, found), PASSAGE, Math::max);
                }
                return true;
            });
            paths.get(i).forEach(n -> names.add(bytes(n)));
            walk.missing().forEach(n -> names.add(bytes(n)));
            places.add(walk.reached().resolve(walk.missing()).normalize());
            if (fd >= 0) {
                if (posix.statx(fd, stat) == 0) {
                    files.merge(pin(fd, HERE, stat), path, Math::max);
                }
                posix.close(fd);
            }
        }
        forgetTheEldest();
        slots.keySet().forEach(s -> names.add(s.name));
        Known now = new Known(list(slots), list(files), List.copyOf(names), List.copyOf(places), at);
        known = now;
        return now;
    }

    private static ByteBuffer bytes(Path name) {
        return ByteBuffer.wrap(name.toString().getBytes(StandardCharsets.UTF_8));
    }

    private void met(Slot slot, int path) {
        slotsMet.add(slot);
        Integer before = slots.remove(slot);
        slots.put(slot, before == null ? path : Math.max(before, path));
    }

    private static <T> List<At<T>> list(Map<T, Integer> all) {
        return all.entrySet().stream()
                .map(e -> new At<>(e.getKey(), e.getValue()))
                .toList();
    }

    /** The file {@code name} in the directory with the descriptor {@code dir}, of which {@code found} told. */
    private Inode pin(int dir, byte[] name, Stat found) {
        Inode inode = new Inode(found.dev(), found.ino());
        filesMet.add(inode);
        Integer fd = pinned.remove(inode);
        if (fd == null || fd < 0) {
            fd = posix.openat(dir, posix.name(name), Open.O_PATH | Open.O_NOFOLLOW | Open.O_CLOEXEC, 0);
            if (fd >= 0 && (posix.statx(fd, stat) < 0 || !inode.is(stat))) { // exchanged meanwhile
                posix.close(fd);
                fd = -1;
            }
        }
        pinned.put(inode, fd);
        return inode;
    }

    private void forgetTheGone() {
        for (Iterator<Map.Entry<Inode, Integer>> i = pinned.entrySet().iterator(); i.hasNext(); ) {
            int fd = i.next().getValue();
            if (fd < 0) {
                i.remove();
            } else if (posix.statx(fd, stat) < 0 || stat.links() == 0) {
                posix.close(fd);
                i.remove();
            }
        }
        forgetWhatIsNotPinned();
    }

    /** Never what was met just now: that is all last. */
    private void forgetTheEldest() {
        int most = MOST * paths.size();
        for (Iterator<Integer> i = pinned.values().iterator(); pinned.size() > Math.max(most, filesMet.size()); ) {
            int fd = i.next();
            if (fd >= 0) {
                posix.close(fd);
            }
            i.remove();
        }
        for (Iterator<Slot> i = slots.keySet().iterator(); slots.size() > Math.max(most, slotsMet.size()); ) {
            i.next();
            i.remove();
        }
        forgetWhatIsNotPinned();
    }

    private void forgetWhatIsNotPinned() {
        slots.keySet().removeIf(s -> !pinned.containsKey(s.directory));
        files.keySet().retainAll(pinned.keySet());
    }

    /** What the name, of {@code length} bytes, is in the directory {@code parent}. */
    public Place place(Node parent, MemorySegment name, int length) {
        int slot = slot(parent, name, length);
        return slot == NONE ? Place.FREE : slot < 0 ? Place.PASSAGE : Place.WITHHELD;
    }

    /** What the guest sees of the name, if it is a withheld directory's; else null. */
    public @Nullable Node mask(Node parent, MemorySegment name, int length) {
        int slot = slot(parent, name, length);
        return slot < 0 ? null : masks[slot];
    }

    /** What the guest sees of the file that {@code found} tells of, if that is a withheld directory; else null. */
    public @Nullable Node mask(Stat found) {
        for (At<Inode> f : known.files) {
            if (f.path >= 0 && f.what.is(found)) {
                return masks[f.path];
            }
        }
        return null;
    }

    /** True if the file that {@code found} tells of stays where it is, by whatever name: there are file systems that ignore case. */
    public boolean isFixed(Stat found) {
        for (At<Inode> f : known.files) {
            if (f.what.is(found)) {
                return true;
            }
        }
        return false;
    }

    /** True if {@code path}, without links, is a withheld directory's or below one. */
    boolean holds(Path path) {
        return paths.stream().anyMatch(path::startsWith)
                || look().places.stream().anyMatch(path::startsWith);
    }

    /** The index of the withheld path, -1 for a passage, {@link #NONE} for any other name. */
    private int slot(Node parent, MemorySegment name, int length) {
        Known k = known;
        if (find(k, parent, name, length) == NONE
                && !isOneOf(k.names, name, length)
                && System.nanoTime() - k.at < BELIEVED_NANOS) {
            return NONE;
        }
        return find(look(), parent, name, length);
    }

    private static int find(Known k, Node parent, MemorySegment name, int length) {
        int found = NONE;
        List<At<Slot>> slots = k.slots;
        for (int i = 0; i < slots.size(); i++) { // by index: an iterator would be one for each request
            At<Slot> s = slots.get(i);
            Slot slot = s.what;
            if (slot.directory.ino() == parent.ino
                    && slot.directory.dev() == parent.dev
                    && isSame(slot.name, name, length)) {
                found = Math.max(found, s.path); // it may be on the way to one and the end of another
            }
        }
        return found;
    }

    private static boolean isOneOf(List<ByteBuffer> names, MemorySegment name, int length) {
        for (int i = 0; i < names.size(); i++) {
            if (isSame(names.get(i), name, length)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isSame(ByteBuffer a, MemorySegment b, int length) {
        if (a.remaining() != length) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            if (a.get(i) != b.get(ValueLayout.JAVA_BYTE, i)) {
                return false;
            }
        }
        return true;
    }

    /** Nothing is looked at anew after this. */
    @Override
    public synchronized void close() {
        closed = true;
        pinned.values().forEach(fd -> {
            if (fd >= 0) {
                posix.close(fd);
            }
        });
        pinned.clear();
    }
}
