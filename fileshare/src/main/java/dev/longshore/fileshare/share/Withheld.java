package dev.longshore.fileshare.share;

import dev.longshore.fileshare.os.PathWalk;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Stat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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
 * <p>Whoever on the host moves things about changes what the slots are. So a request for a slot, or for any name that a withheld
 * directory has, has all paths walked again first; that is some ten system calls a path, and seldom needed. A withheld directory
 * that is found elsewhere (it is mounted twice) is known by its identity.
 *
 * <p>What the guest knew of a directory before somebody on the host made it one of these is not taken from it.
 */
public final class Withheld {
    /** What a name in a directory means. */
    public enum Place {
        FREE,
        PASSAGE,
        WITHHELD
    }

    /** A name in a directory. */
    private static final class Slot {
        private final int dev;
        private final long ino;
        private final byte[] name;

        /** The index of the path whose last name it is; -1 for a passage. */
        private final int path;

        Slot(Stat directory, byte[] name, int path) {
            dev = directory.dev();
            ino = directory.ino();
            this.name = name;
            this.path = path;
        }
    }

    /** The directory that is withheld as the path with the index {@code path}; -1 for one on the way to one, or a link. */
    private record Identity(int dev, long ino, int path) {}

    private record Known(List<Slot> slots, List<Identity> identities) {}

    private final List<Path> paths;
    private final byte[][] lastNames;
    private final VirtualDirectory[] masks;
    private final PathWalk walk = new PathWalk();
    private final Posix posix = new Posix();
    private final Stat stat = new Stat();
    private volatile Known known;

    /** @param paths absolute and normalized; links in them are followed */
    public Withheld(List<Path> paths, NodeTable nodes) {
        this.paths = List.copyOf(paths);
        lastNames = new byte[paths.size()][];
        masks = new VirtualDirectory[paths.size()];
        for (int i = 0; i < masks.length; i++) {
            lastNames[i] = String.valueOf(paths.get(i).getFileName()).getBytes(StandardCharsets.UTF_8);
            masks[i] = nodes.newVirtualDirectory(false);
        }
        known = look();
    }

    private synchronized Known look() {
        List<Slot> slots = new ArrayList<>();
        List<Identity> identities = new ArrayList<>();
        for (int i = 0; i < paths.size(); i++) {
            int path = i;
            int fd = walk.open(paths.get(i), (at, directory, name, found, last) -> {
                boolean end = last && (found == null || found.type() != Stat.S_IFLNK);
                slots.add(new Slot(directory, name, end ? path : -1));
                if (found != null) {
                    identities.add(new Identity(found.dev(), found.ino(), -1));
                }
                return true;
            });
            if (fd >= 0) {
                if (posix.statx(fd, stat) == 0) {
                    identities.add(new Identity(stat.dev(), stat.ino(), path));
                }
                posix.close(fd);
            }
        }
        Known now = new Known(List.copyOf(slots), List.copyOf(identities));
        known = now;
        return now;
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
        for (Identity i : known.identities) {
            if (i.path >= 0 && i.ino == found.ino() && i.dev == found.dev()) {
                return masks[i.path];
            }
        }
        return null;
    }

    /** True if the file that {@code found} tells of stays where it is, by whatever name: there are file systems that ignore case. */
    public boolean isFixed(Stat found) {
        for (Identity i : known.identities) {
            if (i.ino == found.ino() && i.dev == found.dev()) {
                return true;
            }
        }
        return false;
    }

    /** True if {@code path}, without links, is a withheld directory's or below one. */
    boolean holds(Path path) {
        return paths.stream().anyMatch(path::startsWith);
    }

    private static final int NONE = -2;

    /** The index of the withheld path, -1 for a passage, {@link #NONE} for any other name. */
    private int slot(Node parent, MemorySegment name, int length) {
        if (find(known, parent, name, length) == NONE && !isLastName(name, length)) {
            return NONE;
        }
        return find(look(), parent, name, length);
    }

    private static int find(Known k, Node parent, MemorySegment name, int length) {
        int found = NONE;
        List<Slot> slots = k.slots;
        for (int i = 0; i < slots.size(); i++) {
            Slot s = slots.get(i);
            if (s.ino == parent.ino && s.dev == parent.dev && isSame(s.name, name, length)) {
                found = Math.max(found, s.path); // it may be on the way to one and the end of another
            }
        }
        return found;
    }

    private boolean isLastName(MemorySegment name, int length) {
        for (byte[] last : lastNames) {
            if (isSame(last, name, length)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isSame(byte[] a, MemorySegment b, int length) {
        if (a.length != length) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            if (a[i] != b.get(ValueLayout.JAVA_BYTE, i)) {
                return false;
            }
        }
        return true;
    }
}
