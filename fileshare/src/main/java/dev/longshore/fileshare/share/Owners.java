package dev.longshore.fileshare.share;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.os.ThreadCalls;
import dev.longshore.linux.Errno;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What the guest is told of owners and modes, and what it sets: see {@link Ownership}. Thread-safe.
 *
 * <p>Whoever may write to a file on the host may set its attributes. So the attribute counts only where this process may have set it: on
 * files of its own user, whose mode it could change along with it. Else other users of the host could make files that belong to
 * anybody in containers, set-id programs of root too.
 *
 * <p>An override is read once and then remembered in its {@link Node} until the inode's ctime changes, as it does when any
 * attribute is set.
 */
public final class Owners implements AutoCloseable {
    /** Of libkrun and containers/storage; the guest neither sees nor sets it. */
    public static final String XATTR = "user.containers.override_stat";

    private static final int MAX_VALUE_BYTES = 128;
    private static final int PERMISSIONS = 0xFFF;

    private final Ownership ownership;
    private final @Nullable SideTable side;
    private final int user = new ThreadCalls().effectiveUid();
    private final Arena arena = Arena.ofAuto();
    private final MemorySegment name = arena.allocateFrom(XATTR);

    /** @param stateDirectory is there; holds what files cannot carry themselves */
    public Owners(Ownership ownership, Path stateDirectory) throws IOException {
        this.ownership = ownership;
        side = ownership == Ownership.OVERRIDE ? new SideTable(stateDirectory.resolve("file-owners")) : null;
    }

    public boolean areOfHost() {
        return ownership == Ownership.HOST;
    }

    // ---- reading

    /** Replaces what {@code stat} has of the host by what the guest is told; {@code fd} is the node's. */
    public void apply(Node node, int fd, Stat stat, Host host) {
        if (!mayHaveOverride(node, stat)) {
            return;
        }
        if (node.overrideCtime != stat.ctime()) {
            remember(node, stat, read(fd, null, stat, host));
        }
        applyRemembered(node, stat);
    }

    /**
     * The same without a descriptor of the node: by its name in the directory {@code dirFd}. Between the host's answers about
     * the file and its attribute another may have got the name: then it is said to be root's alone, and looked at again
     * by the next request.
     */
    public void applyByName(Node node, int dirFd, Stat stat, Host host) {
        if (!mayHaveOverride(node, stat)) {
            return;
        }
        byte[] file = node.name;
        if (node.overrideCtime != stat.ctime() && file != null) {
            OwnerOverride o = read(dirFd, file, stat, host);
            boolean same = host.posix.statx(dirFd, host.posix.name(file), host.check) == 0
                    && node.is(host.check)
                    && host.check.ctime() == stat.ctime();
            if (!same) {
                stat.owner(0, 0);
                stat.mode(stat.type());
                return;
            }
            remember(node, stat, o);
        }
        applyRemembered(node, stat);
    }

    /** Where owners are the host's, only devices have one: an empty file stands for each. */
    private boolean mayHaveOverride(Node node, Stat stat) {
        if (node instanceof VirtualDirectory) {
            return false;
        }
        return side != null || (stat.type() == Stat.S_IFREG && stat.size() == 0);
    }

    private void applyRemembered(Node node, Stat stat) {
        OwnerOverride o = node.override;
        if (o != null && side != null) {
            o.applyTo(stat);
        } else if (o != null) {
            o.applyKindTo(stat);
        }
    }

    private static void remember(Node node, Stat stat, @Nullable OwnerOverride o) {
        node.overrideCtime = 0;
        node.override = o;
        node.overrideCtime = stat.ctime();
    }

    private @Nullable OwnerOverride read(int fd, byte @Nullable [] file, Stat stat, Host host) {
        int type = stat.type();
        if (side != null && stat.uid() != user) {
            return null;
        }
        if (type == Stat.S_IFREG || type == Stat.S_IFDIR) {
            MemorySegment value = host.value;
            int n = file == null
                    ? host.xattrs.get(fd, name, value, MAX_VALUE_BYTES)
                    : host.xattrs.get(fd, file, name, value, MAX_VALUE_BYTES);
            if (n >= 0) {
                return OwnerOverride.parse(value.asSlice(0, n).toArray(JAVA_BYTE));
            }
        }
        return side == null ? null : side.get(stat);
    }

    /** True if the node's file is owned by whoever asks, as far as anybody said. */
    public static boolean hasOverride(Node node) {
        return node.override != null;
    }

    // ---- writing, of {@link Ownership#OVERRIDE} only

    /** The permission bits that a file of the host gets when the guest wants {@code mode}. */
    public int hostMode(int mode, boolean directory) {
        return areOfHost() ? mode & PERMISSIONS : OwnerOverride.hostMode(mode, directory);
    }

    /**
     * From now on the guest is told this of the file open as {@code fd}, whatever the host says.
     *
     * @param raw what the host says; its inode's change time may move
     * @param kind S_IFBLK or S_IFCHR for a device that is none on the host, otherwise 0
     * @return 0 or a negated errno
     */
    public int set(
            @Nullable Node node,
            int fd,
            Stat raw,
            int uid,
            int gid,
            int mode,
            int kind,
            int major,
            int minor,
            Host host) {
        if (side == null) {
            throw new IllegalStateException("owners are the host's");
        }
        OwnerOverride o = new OwnerOverride(uid, gid, (mode & PERMISSIONS) | kind, major, minor);
        boolean none = o.isIn(raw);
        if (node != null) {
            node.overrideCtime = 0;
        }
        int type = raw.type();
        if (type == Stat.S_IFREG || type == Stat.S_IFDIR) {
            int r;
            if (none) {
                r = host.xattrs.remove(fd, name);
                r = r == -Errno.ENODATA ? 0 : r;
            } else {
                byte[] text = o.bytes();
                MemorySegment.copy(text, 0, host.value, JAVA_BYTE, 0, text.length);
                r = host.xattrs.set(fd, name, host.value, text.length, 0);
            }
            if (r != -Errno.EOPNOTSUPP) {
                if (node != null) {
                    node.overrideCtime = 0; // again: somebody may have read the old one meanwhile
                }
                return r;
            }
        }
        boolean written = side.put(raw, none ? null : o);
        if (node != null) {
            node.overrideCtime = 0;
        }
        return written ? 0 : -Errno.EIO;
    }

    /**
     * From now on the guest is told that the empty file open as {@code fd} is a device. Its owner and mode stay the host's.
     *
     * @param kind S_IFBLK or S_IFCHR
     */
    public int setKind(int fd, Stat raw, int kind, int major, int minor, Host host) {
        byte[] text = new OwnerOverride(raw.uid(), raw.gid(), (raw.mode() & PERMISSIONS) | kind, major, minor).bytes();
        MemorySegment.copy(text, 0, host.value, JAVA_BYTE, 0, text.length);
        int r = host.xattrs.set(fd, name, host.value, text.length, 0);
        return r == -Errno.EOPNOTSUPP ? -Errno.EPERM : r;
    }

    /** The last name of the file that {@code raw} tells of is gone. */
    public void gone(Stat raw) {
        if (side != null) {
            side.put(raw, null);
        }
    }

    @Override
    public void close() throws IOException {
        if (side != null) {
            side.close();
        }
    }
}
