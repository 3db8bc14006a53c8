package dev.longshore.fileshare.share;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Names on the way from the root of a shared folder to directories in which files seem to belong to whoever asks. Immutable once it was
 * made.
 */
final class AccessorTree {
    private static final AccessorTree MINE = new AccessorTree();

    private final List<byte[]> names = new ArrayList<>();
    private final List<AccessorTree> below = new ArrayList<>();

    private AccessorTree() {}

    /** Null if no such directory is in {@code folder}. */
    static @Nullable AccessorTree of(Path folder, Collection<Path> accessors) {
        AccessorTree root = new AccessorTree();
        for (Path a : accessors) {
            if (folder.startsWith(a)) {
                return MINE;
            }
            if (a.startsWith(folder)) {
                root.add(folder.relativize(a));
            }
        }
        return root.names.isEmpty() ? null : root;
    }

    private void add(Path path) {
        AccessorTree at = this;
        for (int i = 0; i < path.getNameCount(); i++) {
            byte[] name = path.getName(i).toString().getBytes(StandardCharsets.UTF_8);
            AccessorTree next = at.child(MemorySegment.ofArray(name), name.length);
            if (next != null && next.isMine()) {
                return;
            }
            boolean last = i == path.getNameCount() - 1;
            if (next == null || last) {
                AccessorTree made = last ? MINE : new AccessorTree();
                if (next == null) {
                    at.names.add(name);
                    at.below.add(made);
                } else {
                    at.below.set(at.below.indexOf(next), made);
                }
                next = made;
            }
            at = next;
        }
    }

    /** True for such a directory and all below. */
    boolean isMine() {
        return this.equals(MINE);
    }

    /** What holds for {@code name} in it; null if nothing does. */
    @Nullable
    AccessorTree child(MemorySegment name, int length) {
        if (isMine()) {
            return this;
        }
        for (int i = 0; i < names.size(); i++) {
            byte[] n = names.get(i);
            if (n.length == length && MemorySegment.ofArray(n).mismatch(name.asSlice(0, length)) < 0) {
                return below.get(i);
            }
        }
        return null;
    }
}
