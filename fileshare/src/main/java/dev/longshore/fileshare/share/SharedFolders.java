package dev.longshore.fileshare.share;

import dev.longshore.fileshare.os.Open;
import dev.longshore.linux.Errno;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The tree whose leaves are the shared folders: {@code /home/me/src} of the host is {@code home/me/src} below the guest's root.
 * Thread-safe: one lock, and within it the {@link NodeTable}'s.
 */
public final class SharedFolders {
    private final NodeTable nodes;
    private final HandleTable handles;
    private final Withheld withheld;
    private final VirtualDirectory root;

    /** By path; those no longer asked for, but below others that are, included: their nodes stay valid. */
    private final Map<Path, Share> shares = new LinkedHashMap<>();

    /** Changes whenever there is another root to grant access to: {@link #rootDescriptors}. */
    private volatile int generation;

    public SharedFolders(NodeTable nodes, HandleTable handles, Withheld withheld) {
        this.nodes = nodes;
        this.handles = handles;
        this.withheld = withheld;
        root = nodes.newVirtualDirectory(true);
    }

    // ---- which

    /**
     * From now on these are shared and no others. One below another is covered by that, one that is withheld is absent. What is
     * shared no longer is stale at once.
     *
     * @param accessors directories, in them or not, in which files without an owner of their own seem to belong to whoever asks
     * @throws IllegalArgumentException for the root of the host's file system
     */
    public synchronized void set(List<SharedFolder> folders, List<Path> accessors, Host host) {
        Map<Path, SharedFolder> wanted = new LinkedHashMap<>();
        for (SharedFolder f : folders) {
            if (f.path().getNameCount() == 0) {
                throw new IllegalArgumentException("the whole file system cannot be shared, only folders in it");
            }
            if (!withheld.holds(f.path())) {
                wanted.put(f.path(), f);
            }
        }
        List<Share> gone = new ArrayList<>();
        for (Share s : List.copyOf(shares.values())) {
            SharedFolder same = wanted.get(s.folder.path());
            if (same == null ? isBelowOne(s.folder.path(), wanted) : same.equals(s.folder)) {
                continue;
            }
            s.active = false;
            shares.remove(s.folder.path());
            gone.add(s);
        }
        for (SharedFolder f : wanted.values()) {
            shares.computeIfAbsent(f.path(), _ -> new Share(f));
        }
        synchronized (nodes) {
            build(wanted);
            shares.values().forEach(s -> s.accessor = AccessorTree.of(s.folder.path(), accessors));
            nodes.accessorsChanged();
        }
        for (Share s : gone) {
            if (s.root != null) {
                nodes.retire(s.root, host);
                s.root = null;
            }
        }
        nodes.closeInactive(host);
        generation++;
    }

    private static boolean isBelowOne(Path path, Map<Path, SharedFolder> wanted) {
        for (Path p = path.getParent(); p != null; p = p.getParent()) {
            if (wanted.containsKey(p)) {
                return true;
            }
        }
        return false;
    }

    /** Virtual directories that are needed still keep their identity. */
    private void build(Map<Path, SharedFolder> wanted) {
        Map<Path, VirtualDirectory> old = new HashMap<>();
        collect(Path.of("/"), root, old);
        old.values().forEach(VirtualDirectory::clear);
        for (Path path : wanted.keySet()) {
            Share share = shares.get(path);
            if (share == null || isBelowOne(path, wanted)) {
                continue;
            }
            VirtualDirectory at = root;
            for (int i = 0; i < path.getNameCount() - 1; i++) {
                byte[] name = bytes(path.getName(i));
                VirtualDirectory next = at.directory(name);
                if (next == null) {
                    next = old.get(Path.of("/").resolve(path.subpath(0, i + 1)));
                    if (next == null) {
                        next = nodes.newVirtualDirectory(false);
                    }
                    at.put(name, next);
                }
                at = next;
            }
            at.put(bytes(path.getFileName()), share);
        }
    }

    private static void collect(Path path, VirtualDirectory directory, Map<Path, VirtualDirectory> into) {
        into.put(path, directory);
        for (byte[] name : directory.directoryNames()) {
            VirtualDirectory d = directory.directory(name);
            if (d != null) {
                collect(path.resolve(new String(name, StandardCharsets.UTF_8)), d, into);
            }
        }
    }

    private static byte[] bytes(@Nullable Path name) {
        return String.valueOf(name).getBytes(StandardCharsets.UTF_8);
    }

    // ---- looking

    /** What {@code name} is in a virtual directory: a node, or null if there is nothing (on the host, now). */
    public @Nullable Node lookup(VirtualDirectory directory, byte[] name, Host host) {
        Share share;
        synchronized (nodes) {
            VirtualDirectory d = directory.directory(name);
            if (d != null) {
                return d;
            }
            share = directory.share(name);
        }
        return share == null ? null : rootOf(share, host);
    }

    /** The folder at the share's path as it is now; null if there is none. */
    private synchronized @Nullable Node rootOf(Share share, Host host) {
        if (!share.active) {
            return null;
        }
        int r = host.posix.statx(Open.AT_FDCWD, host.posix.name(share.path), Open.AT_NO_AUTOMOUNT, host.check);
        Node old = share.root;
        if (r == 0 && old != null && old.is(host.check)) {
            return old;
        }
        if (old != null) { // another folder is there now, or none
            share.root = null;
            nodes.retire(old, host);
        }
        int fd = host.posix.openWithoutLinks(
                host.posix.name(share.path), Open.O_PATH | Open.O_DIRECTORY | Open.O_CLOEXEC);
        if (fd < 0) {
            return null;
        }
        if (host.posix.statx(fd, host.check) < 0 || withheld.mask(host.check) != null) {
            host.posix.close(fd);
            return null;
        }
        int n = host.posix.pathOf(fd, host.path);
        share.place = n <= 0 ? null : host.path.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE);
        share.root = nodes.newRoot(share, host.check, fd);
        generation++;
        return share.root;
    }

    /** Opens a virtual directory: what it holds is what it held now. A negated errno, or 0 and the handle in {@code into}. */
    public int open(VirtualDirectory directory, Host host, Handle[] into) {
        List<byte[]> names;
        List<Node> entries = new ArrayList<>();
        List<byte[]> shareNames;
        List<Share> leaves;
        synchronized (nodes) {
            names = directory.directoryNames();
            entries.addAll(directory.directories());
            shareNames = directory.shareNames();
            leaves = directory.shares();
        }
        for (int i = 0; i < leaves.size(); i++) {
            Node n = rootOf(leaves.get(i), host);
            if (n != null) {
                names.add(shareNames.get(i));
                entries.add(n);
            }
        }
        Handle h = handles.open(directory, names.toArray(new byte[0][]), entries.toArray(new Node[0]));
        if (h == null) {
            return -Errno.ENFILE;
        }
        into[0] = h;
        return 0;
    }

    // ---- what threads that are confined must know

    /** Changes whenever {@link #rootDescriptors} does. */
    public int generation() {
        return generation;
    }

    /**
     * Adds duplicates of the descriptors of the folders that are there to {@code into}, for the caller to close. Opens those that
     * nobody has looked at yet.
     *
     * @return the {@link #generation} that they are of
     */
    public synchronized int rootDescriptors(Host host, List<Integer> into) {
        for (Share s : shares.values()) {
            Node n = rootOf(s, host);
            if (n != null) {
                int fd = host.posix.dup(n.fd);
                if (fd >= 0) {
                    into.add(fd);
                }
            }
        }
        return generation;
    }

    public static boolean isReadOnly(Node node) {
        Share s = node.share;
        return s != null && s.folder.readOnly();
    }

    public static boolean isAccessor(Node node) {
        Share s = node.share;
        AccessorTree a = node.accessor;
        return (a != null && a.isMine()) || (s != null && s.folder.accessor());
    }

    /** True if both are in the same shared folder. */
    public static boolean together(Node a, Node b) {
        return a.share == b.share;
    }
}
