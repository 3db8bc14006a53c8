package dev.longshore.fileshare.os;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.longshore.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Walks a path of the host as the kernel does, name by name and link by link, asking at each whether to go on: by descriptors, so
 * whoever exchanges things on the way meanwhile does not change what was asked. Confined to one thread at a time.
 */
public final class PathWalk {
    /** MAXSYMLINKS: Linux include/linux/namei.h. */
    private static final int MOST_LINKS = 40;

    private static final int DIRECTORY = Open.O_PATH | Open.O_DIRECTORY | Open.O_CLOEXEC;

    private final Posix posix = new Posix();
    private final Stat directory = new Stat();
    private final Stat found = new Stat();
    private final MemorySegment target = Arena.ofAuto().allocate(Posix.MAX_PATH_BYTES);

    /** Names, each character a byte: what a link leads to need not be UTF-8. */
    private final List<String> reached = new ArrayList<>();

    private final Deque<String> left = new ArrayDeque<>();

    /** Asked at each name. */
    @FunctionalInterface
    public interface Step {
        /**
         * Whether to go on. {@link #reached} is the directory.
         *
         * @param fd the directory's, open with O_PATH; the walk's own
         * @param directory tells of it
         * @param name in it: not "." or ".."
         * @param found tells of what has the name, which may be a link; null if there is nothing
         * @param last if nothing follows, unless it is a link
         */
        boolean mayPass(int fd, Stat directory, byte[] name, @Nullable Stat found, boolean last);
    }

    /**
     * Opens what {@code path}, which is absolute, leads to.
     *
     * @return an O_PATH descriptor, of no link; or a negated errno, -EPERM if {@code step} stopped the walk
     */
    public int open(Path path, Step step) {
        reached.clear();
        left.clear();
        path.forEach(name -> left.add(new String(name.toString().getBytes(UTF_8), ISO_8859_1)));
        int dir = posix.openat(Open.AT_FDCWD, posix.name(bytes("/")), DIRECTORY, 0);
        int links = 0;
        while (dir >= 0 && !left.isEmpty()) {
            String name = left.remove();
            if (name.equals("..")) {
                dir = enter(dir, name, DIRECTORY);
                if (!reached.isEmpty()) {
                    reached.removeLast();
                }
                continue;
            }
            if (name.isEmpty() || name.equals(".")) {
                continue;
            }
            byte[] bytes = bytes(name);
            if (bytes.length > Posix.MAX_NAME_BYTES) {
                return fail(dir, -Errno.ENAMETOOLONG);
            }
            int r = posix.statx(dir, directory);
            int there = r < 0 ? r : posix.statx(dir, posix.name(bytes), found);
            if (there < 0 && there != -Errno.ENOENT) {
                return fail(dir, there);
            }
            if (!step.mayPass(dir, directory, bytes, there == 0 ? found : null, isLast())) {
                return fail(dir, -Errno.EPERM);
            }
            if (there < 0) {
                left.addFirst(name);
                return fail(dir, there);
            }
            if (found.type() == Stat.S_IFLNK) {
                dir = ++links > MOST_LINKS ? fail(dir, -Errno.ELOOP) : follow(dir, bytes);
            } else {
                dir = enter(dir, name, Open.O_PATH | Open.O_NOFOLLOW | Open.O_CLOEXEC);
                reached.add(name);
            }
        }
        if (dir >= 0 && (posix.statx(dir, found) < 0 || found.type() == Stat.S_IFLNK)) {
            return fail(dir, -Errno.ELOOP); // it became a link after it had been looked at
        }
        return dir;
    }

    /** What a link leads to may end with "/" or "/.", behind which nothing follows. */
    private boolean isLast() {
        return left.stream().allMatch(name -> name.isEmpty() || name.equals("."));
    }

    /** Where the walk is, or has ended: without links. Of names that are not UTF-8 what is not is replaced. */
    public Path reached() {
        return Path.of("/", texts(reached));
    }

    /** After -ENOENT: what would follow {@link #reached}. */
    public Path missing() {
        return Path.of("", texts(left));
    }

    private static String[] texts(Collection<String> names) {
        return names.stream().map(name -> new String(bytes(name), UTF_8)).toArray(String[]::new);
    }

    private int enter(int dir, String name, int flags) {
        int next = posix.openat(dir, posix.name(bytes(name)), flags, 0);
        posix.close(dir);
        return next;
    }

    private int follow(int dir, byte[] name) {
        int link = posix.openat(dir, posix.name(name), Open.O_PATH | Open.O_NOFOLLOW | Open.O_CLOEXEC, 0);
        if (link < 0) {
            return fail(dir, link);
        }
        int n = posix.readlink(link, target, Posix.MAX_PATH_BYTES - 1);
        posix.close(link);
        if (n < 0) {
            return fail(dir, n == -Errno.EINVAL ? -Errno.ELOOP : n);
        }
        String text = new String(target.asSlice(0, n).toArray(JAVA_BYTE), ISO_8859_1);
        String[] names = text.split("/", -1);
        for (int i = names.length - 1; i >= 0; i--) {
            left.addFirst(names[i]);
        }
        if (!text.startsWith("/")) {
            return dir;
        }
        reached.clear();
        return enter(dir, "/", DIRECTORY);
    }

    private int fail(int dir, int errno) {
        posix.close(dir);
        return errno;
    }

    private static byte[] bytes(String name) {
        return name.getBytes(ISO_8859_1);
    }
}
