package dev.longshore.fileshare.share;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.linux.Errno;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The inodes that the guest knows. Thread-safe: one lock, under which no system call is made.
 *
 * <h2>Theory of operation</h2>
 *
 * The guest may know millions of inodes, a process may have some thousand descriptors. So a node is at first only an
 * identity (device, inode number, time of birth, type) and the place where it was last seen (parent and name). Attributes are
 * asked by that place, which takes no descriptor. What needs one opens it from there, without following links, and
 * compares the identity: if something else has taken the place, the node is stale (ESTALE) and the guest's kernel walks the
 * path anew. Descriptors stay open, the most recently used ones, up to the budget.
 *
 * <p>A node whose name goes away by the guest's own doing while the guest knows it (unlink, or a rename over it) is opened before that and
 * kept open until forgotten, so that the guest can go on with it, as long as such nodes take less than half of the budget.
 *
 * <p>A directory that the guest forgets before what is in it stays, for what is in it is found by way of it. So it counts as
 * before: what a guest can make this process remember is bounded by the number of nodes, however it forgets them.
 *
 * <p>What somebody on the host moves out of the shared folder is stale from then on, descriptor or not: the kernel tells where an open
 * file is now. An open file of the guest can still be read and written, as one of any program.
 *
 * <p>Invariants: a node with a descriptor is in exactly one of the two lists, {@link #recent} or {@link #kept}; a removed node
 * is in neither table; a descriptor is closed only when {@code pins} is 0.
 */
@SuppressWarnings("ReferenceEquality") // a node is itself and nothing equals it
public final class NodeTable {
    /** FUSE_ROOT_ID. */
    public static final long ROOT_ID = 1;

    /** More levels than this are not walked to open a node anew. */
    private static final int MAX_DEPTH = 20_000;

    private static final int FIRST_BUCKETS = 1024;
    private static final int TRIES = 3;
    private static final int[] NOTHING = {};

    private final Limits limits;
    private @Nullable Node[] byId = new Node[FIRST_BUCKETS];
    private @Nullable Node[] byKey = new Node[FIRST_BUCKETS];
    private @Nullable Node[] byName = new Node[FIRST_BUCKETS];
    private int size;
    private long nextId = ROOT_ID + 1;

    private final NodeList recent = new NodeList();
    private final NodeList kept = new NodeList();

    /** Descriptors of nodes that were removed, for the next who may make system calls. */
    private int[] unclosed = new int[16];

    private int unclosedCount;

    private final Owners owners;

    public NodeTable(Limits limits, Owners owners) {
        this.limits = limits;
        this.owners = owners;
    }

    // ---- finding

    /** Null if there is none, or it is no longer shared: the guest's handle is stale. */
    public synchronized @Nullable Node find(long id) {
        for (Node n = byId[bucket(id, byId.length)]; n != null; n = n.nextById) {
            if (n.id == id) {
                return n.share == null || n.share.active ? n : null;
            }
        }
        return null;
    }

    /** The node of the file {@code stat} tells of, if the guest knows it. */
    public synchronized @Nullable Node find(Stat stat) {
        Node n = byKey(stat);
        return n != null && n.is(stat) ? n : null;
    }

    /**
     * What the guest was last told to be {@code name} in {@code parent} and may remember as that, whatever is there now; null if nothing.
     */
    public synchronized @Nullable Node find(Node parent, MemorySegment name, int length) {
        for (Node n = byName[nameBucket(parent, NameHash.of(name, length))]; n != null; n = n.nextByName) {
            if (n.parent == parent && n.lookups > 0 && !n.kept && n.name != null && same(n.name, name, length)) {
                return n;
            }
        }
        return null;
    }

    /** True if the guest may know the directory, or another file, with that identity; roots of shares are not looked for. */
    public synchronized boolean knows(int dev, long ino) {
        for (Node n = byKey[bucket(ino + dev, byKey.length)]; n != null; n = n.nextByKey) {
            if (n.ino == ino && n.dev == dev) {
                return true;
            }
        }
        return false;
    }

    /**
     * Where on the host the guest last saw it. Empty for what is not the host's, and for what has no name any more; of names that are
     * not UTF-8 what is not is replaced.
     */
    public synchronized String pathOf(Node node) {
        ArrayDeque<byte[]> names = new ArrayDeque<>();
        Node n = node;
        while (!n.fixed && n.parent != null && n.name != null && names.size() < MAX_DEPTH) {
            names.addFirst(n.name);
            n = n.parent;
        }
        if (!n.fixed || n.share == null) {
            return "";
        }
        StringBuilder path = new StringBuilder(n.share.folder.path().toString());
        for (byte[] name : names) {
            path.append('/').append(new String(name, StandardCharsets.UTF_8));
        }
        return path.toString();
    }

    private @Nullable Node byKey(Stat stat) {
        long ino = stat.ino();
        int dev = stat.dev();
        for (Node n = byKey[bucket(ino + dev, byKey.length)]; n != null; n = n.nextByKey) {
            if (n.ino == ino && n.dev == dev) {
                return n;
            }
        }
        return null;
    }

    /**
     * The guest is told once more of the file {@code stat} tells of, seen as {@code name} in {@code parent}.
     *
     * @param name NUL-terminated after {@code length} bytes; without a name yet if {@code length} is 0
     * @return null if the guest knows too many
     */
    public synchronized @Nullable Node enter(Stat stat, Node parent, MemorySegment name, int length) {
        Node n = byKey(stat);
        if (n != null && !n.is(stat)) {
            removeByKey(n); // its inode number has been given to another file
            n = null;
        }
        if (n == null) {
            if (size >= limits.nodes()) {
                return null;
            }
            n = new Node(nextId++, stat.dev(), stat.ino(), stat.birth(), stat.type());
            addById(n);
            addByKey(n);
            growIfFull();
        }
        if (length > 0 && !n.equals(parent)) {
            place(n, parent, name, length);
        } else if (n.share == null) {
            n.share = parent.share;
        }
        if (n.lookups < Integer.MAX_VALUE) {
            n.lookups++;
        }
        return n;
    }

    private void place(Node n, Node parent, MemorySegment name, int length) {
        n.accessor = parent.accessor == null ? null : parent.accessor.child(name, length);
        if (n.parent == parent && n.name != null && same(n.name, name, length)) {
            return;
        }
        Node before = n.parent;
        removeByName(n);
        n.parent = parent;
        n.share = parent.share;
        n.name = name.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
        if (!n.removed) {
            addByName(n);
        }
        if (before != parent && !n.removed) {
            parent.children++;
            removeIfUnused(leave(before));
        }
        if (n.kept && n.fd >= 0) {
            kept.remove(n);
            recent.addNewest(n);
        }
        n.kept = false;
    }

    /**
     * The guest is told of a file that is no longer there, so that its kernel has something to remove: unknown to the host, and stale
     * for every other use.
     *
     * @param type S_IFREG or S_IFDIR
     * @return null if the guest knows too many
     */
    public synchronized @Nullable Node enterGone(Node parent, int type) {
        if (size >= limits.nodes()) {
            return null;
        }
        Node n = new Node(nextId++, 0, 0, 0, type);
        n.share = parent.share;
        n.lookups = 1;
        addById(n);
        growIfFull();
        return n;
    }

    /** The guest is told of {@code node} once more, as what it knows it to be. */
    public synchronized void enterAgain(Node node) {
        if (node.lookups < Integer.MAX_VALUE && !node.fixed) {
            node.lookups++;
        }
    }

    private static boolean same(byte[] a, MemorySegment b, int length) {
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

    /** {@code node} was renamed by the guest. */
    public synchronized void moved(Node node, Node parent, MemorySegment name, int length) {
        if (node != parent && !node.fixed) {
            place(node, parent, name, length);
        }
    }

    // ---- forgetting

    /** The guest forgets {@code times} of the times it was told of {@code id}. */
    public void forget(long id, long times, Host host) {
        int[] close;
        synchronized (this) {
            Node n = null;
            for (Node i = byId[bucket(id, byId.length)]; i != null; i = i.nextById) {
                if (i.id == id) {
                    n = i;
                    break;
                }
            }
            if (n == null || n.fixed || n.lookups == Integer.MAX_VALUE) {
                return;
            }
            n.lookups = times < 0 || times >= n.lookups ? 0 : n.lookups - (int) times;
            removeIfUnused(n);
            close = takeUnclosed();
        }
        closeAll(close, host);
    }

    /** Takes it out of the tables if nobody knows it any more, and then those above it that were there for its sake. */
    private void removeIfUnused(@Nullable Node node) {
        Node n = node;
        while (n != null && n.lookups == 0 && n.handles == null && n.children == 0 && !n.fixed && !n.removed) {
            remove(n);
            n = leave(n.parent);
        }
    }

    /** A child of {@code parent} is gone. */
    private static @Nullable Node leave(@Nullable Node parent) {
        if (parent != null) {
            parent.children--;
        }
        return parent;
    }

    /** Takes it out of the tables; its descriptor is to be closed. */
    private void remove(Node n) {
        removeById(n);
        removeByKey(n);
        removeByName(n);
        n.removed = true;
        n.override = null;
        int fd = n.pins == 0 ? takeFd(n) : -1;
        if (fd >= 0) {
            if (unclosedCount == unclosed.length) {
                unclosed = Arrays.copyOf(unclosed, 2 * unclosedCount);
            }
            unclosed[unclosedCount++] = fd;
        }
    }

    private int[] takeUnclosed() {
        if (unclosedCount == 0) {
            return NOTHING;
        }
        int[] all = Arrays.copyOf(unclosed, unclosedCount);
        unclosedCount = 0;
        return all;
    }

    private static void closeAll(int[] fds, Host host) {
        for (int fd : fds) {
            host.posix.close(fd);
        }
    }

    private int takeFd(Node n) {
        int fd = n.fd;
        if (fd >= 0 && !n.fixed) {
            (n.kept ? kept : recent).remove(n);
            n.fd = -1;
            return fd;
        }
        return -1;
    }

    // ---- descriptors

    /**
     * An O_PATH descriptor of {@code node}, which stays open until {@link #release}; or a negated errno.
     */
    public int acquire(Node node, Host host) {
        int r = -Errno.ESTALE;
        for (int i = 0; i < TRIES; i++) { // it may have been renamed while it was looked for
            r = tryAcquire(node, host);
            if (r >= 0 && isMovedOut(node, r, host)) {
                letGo(node, host);
                r = -Errno.ESTALE;
            }
            if (r != -Errno.ESTALE) {
                return r;
            }
        }
        return r;
    }

    /**
     * The same of a node that was just seen to be {@code name} in the directory open as {@code parentFd}, which the caller has acquired:
     * so it is where it should be, and that is not asked again.
     */
    public int acquire(Node node, int parentFd, MemorySegment name, Host host) {
        synchronized (this) {
            if (pinIfOpen(node)) {
                return node.fd;
            }
        }
        int fd = open(parentFd, name, node, host);
        if (fd < 0) {
            return fd;
        }
        synchronized (this) {
            node.pins++;
        }
        adopt(node, fd, host);
        return node.fd;
    }

    /** Its descriptor leads elsewhere by now: is closed, unless somebody else uses it just now. */
    private void letGo(Node node, Host host) {
        int close;
        synchronized (this) {
            node.pins--;
            close = node.pins == 0 ? takeFd(node) : -1;
        }
        if (close >= 0) {
            host.posix.close(close);
        }
    }

    /** True if what is open as {@code fd}, the node's, is not in its shared folder any more. */
    private boolean isMovedOut(Node node, int fd, Host host) {
        Share share = node.share;
        byte[] folder = share == null ? null : share.place;
        if (folder == null) {
            return false;
        }
        int n = host.posix.pathOf(fd, host.path);
        if (n == -Errno.ENAMETOOLONG) {
            return isMovedOutFar(node, fd, host);
        }
        return n < folder.length
                || !startsWith(host.path, folder)
                || (n > folder.length && host.path.get(ValueLayout.JAVA_BYTE, folder.length) != '/');
    }

    private static boolean startsWith(MemorySegment path, byte[] folder) {
        for (int i = folder.length - 1; i >= 0; i--) { // paths differ at their ends
            if (path.get(ValueLayout.JAVA_BYTE, i) != folder[i]) {
                return false;
            }
        }
        return true;
    }

    /** The same where the path is longer than the kernel tells: by going up. */
    private boolean isMovedOutFar(Node node, int fd, Host host) {
        Node directory = node.isDirectory() ? node : null;
        Node root;
        synchronized (this) {
            root = node.share == null ? null : node.share.root;
            if (directory == null) {
                directory = node.kept ? null : node.parent;
            }
        }
        if (root == null || directory == null) {
            return false;
        }
        if (directory != node) {
            return isElsewhere(node, directory, host);
        }
        int at = host.posix.dup(fd);
        for (int depth = 0; at >= 0 && depth < MAX_DEPTH; depth++) {
            if (host.posix.statx(at, host.check) < 0 || root.is(host.check)) {
                break;
            }
            long ino = host.check.ino();
            int dev = host.check.dev();
            int up = host.posix.openat(at, host.posix.name(UP), Open.O_PATH | Open.O_DIRECTORY | Open.O_CLOEXEC, 0);
            host.posix.close(at);
            at = up;
            if (at >= 0
                    && host.posix.statx(at, host.check) == 0
                    && host.check.ino() == ino
                    && host.check.dev() == dev) {
                break; // the root of all
            }
        }
        boolean found = at >= 0 && host.posix.statx(at, host.check) == 0 && root.is(host.check);
        if (at >= 0) {
            host.posix.close(at);
        }
        return !found;
    }

    private boolean isElsewhere(Node node, Node parent, Host host) {
        byte[] name;
        synchronized (this) {
            name = node.name;
        }
        int dir = name == null ? -Errno.ESTALE : acquire(parent, host);
        if (name == null || dir < 0) {
            return true;
        }
        boolean there = host.posix.statx(dir, host.posix.name(name), host.check) == 0 && node.is(host.check);
        release(parent, host);
        return !there;
    }

    private static final byte[] UP = {'.', '.'};

    private int tryAcquire(Node node, Host host) {
        ArrayList<Node> closed = null;
        Node top = node;
        Handle handle = null;
        synchronized (this) {
            if (pinIfOpen(node)) {
                return node.fd;
            }
            closed = new ArrayList<>(4);
            while (!pinIfOpen(top)) {
                if (top.handles != null) {
                    handle = top.handles;
                    handle.users++;
                    top.pins++;
                    break;
                }
                closed.add(top);
                if (top.parent == null || top.name == null || closed.size() > MAX_DEPTH) {
                    return -Errno.ESTALE;
                }
                top = top.parent;
            }
        }
        if (handle != null) {
            int fd = host.posix.reopen(handle.fd, Open.O_PATH | Open.O_CLOEXEC);
            release(handle, host);
            if (fd < 0) {
                release(top, host);
                return fd;
            }
            adopt(top, fd, host);
        }
        for (int i = closed.size() - 1; i >= 0; i--) {
            Node child = closed.get(i);
            int fd = openChild(top.fd, child, host);
            if (fd < 0) {
                release(top, host);
                return fd;
            }
            synchronized (this) {
                child.pins++;
            }
            adopt(child, fd, host);
            release(top, host);
            top = child;
        }
        return top.fd; // pinned, so it stays
    }

    private boolean pinIfOpen(Node n) {
        if (n.fd < 0) {
            return false;
        }
        n.pins++;
        if (!n.fixed && !n.kept) {
            recent.touch(n);
        }
        return true;
    }

    private int openChild(int parentFd, Node child, Host host) {
        byte[] name;
        synchronized (this) {
            name = child.name;
        }
        return name == null ? -Errno.ESTALE : open(parentFd, host.posix.name(name), child, host);
    }

    /** Opens {@code name} if it is {@code child}. */
    private static int open(int parentFd, MemorySegment name, Node child, Host host) {
        int fd = host.posix.openBeneath(parentFd, name, Open.O_PATH | Open.O_NOFOLLOW | Open.O_CLOEXEC, 0);
        if (fd < 0) {
            return fd == -Errno.EMFILE || fd == -Errno.ENFILE || fd == -Errno.ENOMEM || fd == -Errno.EACCES
                    ? fd
                    : -Errno.ESTALE;
        }
        int r = host.posix.statx(fd, host.check);
        if (r == 0 && !child.is(host.check)) {
            r = -Errno.ESTALE;
        }
        if (r < 0) {
            host.posix.close(fd);
            return r;
        }
        return fd;
    }

    /** Gives the pinned {@code n} the descriptor {@code fd}, unless somebody else has given it one meanwhile. */
    private void adopt(Node n, int fd, Host host) {
        int close;
        synchronized (this) {
            if (n.fd >= 0) {
                close = fd;
            } else {
                n.fd = fd;
                (n.kept ? kept : recent).addNewest(n);
                close = overBudget();
            }
        }
        if (close >= 0) {
            host.posix.close(close);
        }
    }

    /** A descriptor to close because there are too many, or -1. */
    private int overBudget() {
        if (recent.count() + kept.count() <= limits.descriptors()) {
            return -1;
        }
        NodeList list = kept.count() > limits.descriptors() / 2 ? kept : recent;
        for (int i = list.count(); i > 0; i--) {
            Node n = list.oldest();
            if (n == null) {
                return -1;
            }
            if (n.pins == 0) {
                return takeFd(n);
            }
            list.touch(n);
        }
        return -1; // all in use: as many as there are requests
    }

    public void release(Node node, Host host) {
        int close = -1;
        int[] others;
        synchronized (this) {
            node.pins--;
            if (node.pins == 0 && (node.removed || (node.share != null && !node.share.active))) {
                close = takeFd(node);
            }
            others = takeUnclosed();
        }
        if (close >= 0) {
            host.posix.close(close);
        }
        closeAll(others, host);
    }

    /**
     * {@code node}, which the caller has acquired, is about to lose a name, perhaps its last: it is kept open as long as the
     * guest knows it.
     */
    public synchronized void keepOpen(Node node) {
        if (!node.kept && !node.fixed && !node.removed && node.fd >= 0 && node.lookups > 0) {
            recent.remove(node);
            node.kept = true;
            kept.addNewest(node);
        }
    }

    // ---- attributes

    /** Fills {@code into} with what the guest is told of {@code node}; 0 or a negated errno. */
    public int stat(Node node, Host host, Stat into) {
        Node parent = null;
        byte[] name = null;
        int fd = -1;
        synchronized (this) {
            if (node instanceof VirtualDirectory v) {
                v.stat(into);
                return 0;
            }
            if (pinIfOpen(node)) {
                fd = node.fd;
            } else if (node.handles == null) {
                parent = node.parent;
                name = node.name;
            }
        }
        if (fd >= 0 && isMovedOut(node, fd, host)) {
            letGo(node, host);
            fd = -1;
        }
        if (fd < 0 && parent != null && name != null) {
            int parentFd = acquire(parent, host);
            if (parentFd >= 0) {
                int r = host.posix.statx(parentFd, host.posix.name(name), into);
                boolean found = r == 0 && node.is(into);
                if (found) {
                    owners.applyByName(node, parentFd, into, host);
                }
                release(parent, host);
                if (found) {
                    return 0;
                }
            }
        }
        if (fd < 0) {
            fd = acquire(node, host);
        }
        if (fd < 0) {
            return fd;
        }
        int r = host.posix.statx(fd, into);
        if (r == 0) {
            owners.apply(node, fd, into, host);
        }
        release(node, host);
        return r;
    }

    // ---- open files: HandleTable makes them

    synchronized void add(Handle handle) {
        handle.nextOfNode = handle.node.handles;
        handle.node.handles = handle;
    }

    /** The guest has closed it: nothing finds it any more, and it is closed when the last request is done with it. */
    void close(Handle handle, Host host) {
        int[] others;
        boolean close;
        synchronized (this) {
            if (handle.closed) {
                return;
            }
            handle.closed = true;
            Node n = handle.node;
            if (n.handles == handle) {
                n.handles = handle.nextOfNode;
            } else {
                for (Handle h = n.handles; h != null; h = h.nextOfNode) {
                    if (h.nextOfNode == handle) {
                        h.nextOfNode = handle.nextOfNode;
                        break;
                    }
                }
            }
            close = handle.users == 0;
            removeIfUnused(n);
            others = takeUnclosed();
        }
        if (close && handle.fd >= 0) {
            host.posix.close(handle.fd);
        }
        closeAll(others, host);
    }

    /** False if it is closed already. */
    synchronized boolean use(Handle handle) {
        if (handle.closed) {
            return false;
        }
        handle.users++;
        return true;
    }

    public void release(Handle handle, Host host) {
        boolean close;
        synchronized (this) {
            handle.users--;
            close = handle.closed && handle.users == 0;
        }
        if (close && handle.fd >= 0) {
            host.posix.close(handle.fd);
        }
    }

    // ---- roots: SharedFolders makes them

    synchronized VirtualDirectory newVirtualDirectory(boolean root) {
        VirtualDirectory v = new VirtualDirectory(root ? ROOT_ID : nextId++);
        addById(v);
        return v;
    }

    /** A root of a share, open as {@code fd}, which becomes the table's. */
    synchronized Node newRoot(Share share, Stat stat, int fd) {
        Node n = new Node(nextId++, stat.dev(), stat.ino(), stat.birth(), stat.type());
        n.share = share;
        n.accessor = share.accessor;
        n.fd = fd;
        n.fixed = true;
        addById(n);
        growIfFull();
        return n;
    }

    /** A root is no longer that of anything; its descriptor goes when nobody uses it. */
    void retire(Node root, Host host) {
        int[] close;
        synchronized (this) {
            root.fixed = false;
            if (root.fd >= 0) {
                recent.addNewest(root);
            }
            remove(root);
            close = takeUnclosed();
        }
        closeAll(close, host);
    }

    /** What belongs to whoever asks has changed: all nodes are looked at anew. */
    synchronized void accessorsChanged() {
        for (Node head : byId) {
            for (Node n = head; n != null; n = n.nextById) {
                if (!(n instanceof VirtualDirectory)) {
                    n.accessor = accessor(n, 0);
                }
            }
        }
    }

    private static @Nullable AccessorTree accessor(Node n, int depth) {
        if (n.fixed || n.parent == null || n.name == null) {
            return n.fixed && n.share != null ? n.share.accessor : null;
        }
        if (depth == MAX_DEPTH) {
            return null;
        }
        AccessorTree above = accessor(n.parent, depth + 1);
        return above == null ? null : above.child(MemorySegment.ofArray(n.name), n.name.length);
    }

    /** Closes the descriptors of what is no longer shared. */
    void closeInactive(Host host) {
        List<Integer> fds = new ArrayList<>();
        synchronized (this) {
            for (NodeList list : new NodeList[] {recent, kept}) {
                for (Node n = list.oldest(); n != null; ) {
                    Node next = n.newer;
                    if (n.pins == 0 && n.share != null && !n.share.active) {
                        fds.add(takeFd(n));
                    }
                    n = next;
                }
            }
        }
        for (int fd : fds) {
            host.posix.close(fd);
        }
    }

    /** All but the roots are forgotten. Requests that are being handled keep what they use until they are done. */
    public void clear(Host host) {
        int[] close;
        synchronized (this) {
            for (Node head : byId.clone()) {
                for (Node n = head; n != null; ) {
                    Node next = n.nextById;
                    n.children = 0;
                    if (n.fixed) {
                        n.lookups = 0;
                    } else {
                        remove(n);
                    }
                    n = next;
                }
            }
            close = takeUnclosed();
        }
        closeAll(close, host);
    }

    // ---- counts

    /** Nodes, the roots included. */
    public synchronized int size() {
        return size;
    }

    /** Descriptors that are open for nodes, without those of the roots. */
    public synchronized int openCount() {
        return recent.count() + kept.count();
    }

    // ---- the two hash tables, chained through the nodes

    private static int bucket(long key, int length) {
        return (int) ((key * 0x9E37_79B9_7F4A_7C15L) >>> 40) & (length - 1);
    }

    private void addById(Node n) {
        int at = bucket(n.id, byId.length);
        n.nextById = byId[at];
        byId[at] = n;
        size++;
    }

    private void addByKey(Node n) {
        int at = bucket(n.ino + n.dev, byKey.length);
        n.nextByKey = byKey[at];
        byKey[at] = n;
    }

    private void removeById(Node n) {
        int at = bucket(n.id, byId.length);
        if (byId[at] == n) {
            byId[at] = n.nextById;
            size--;
        } else {
            for (Node p = byId[at]; p != null; p = p.nextById) {
                if (p.nextById == n) {
                    p.nextById = n.nextById;
                    size--;
                    break;
                }
            }
        }
        n.nextById = null;
    }

    private void removeByKey(Node n) {
        int at = bucket(n.ino + n.dev, byKey.length);
        if (byKey[at] == n) {
            byKey[at] = n.nextByKey;
        } else {
            for (Node p = byKey[at]; p != null; p = p.nextByKey) {
                if (p.nextByKey == n) {
                    p.nextByKey = n.nextByKey;
                    break;
                }
            }
        }
        n.nextByKey = null;
    }

    private int nameBucket(Node parent, long hash) {
        return bucket(parent.id + (hash ^ (hash >>> 29)), byName.length);
    }

    /** Takes the place of another one with that name: the guest was told of this later. */
    private void addByName(Node n) {
        Node parent = n.parent;
        byte[] name = n.name;
        if (parent == null || name == null) {
            return;
        }
        int at = nameBucket(parent, NameHash.of(name));
        for (Node p = byName[at]; p != null; p = p.nextByName) {
            if (p.parent == parent && Arrays.equals(p.name, name)) {
                removeByName(p);
                break;
            }
        }
        n.nextByName = byName[at];
        byName[at] = n;
    }

    private void removeByName(Node n) {
        if (n.parent == null || n.name == null) {
            return;
        }
        int at = nameBucket(n.parent, NameHash.of(n.name));
        if (byName[at] == n) {
            byName[at] = n.nextByName;
        } else {
            for (Node p = byName[at]; p != null; p = p.nextByName) {
                if (p.nextByName == n) {
                    p.nextByName = n.nextByName;
                    break;
                }
            }
        }
        n.nextByName = null;
    }

    private void growIfFull() {
        if (size <= byId.length || byId.length >= 1 << 23) {
            return;
        }
        @Nullable Node[] ids = byId;
        @Nullable Node[] keys = byKey;
        @Nullable Node[] names = byName;
        byId = new Node[ids.length * 2];
        byKey = new Node[ids.length * 2];
        byName = new Node[ids.length * 2];
        size = 0;
        for (Node head : ids) {
            for (Node n = head; n != null; ) {
                Node next = n.nextById;
                addById(n);
                n = next;
            }
        }
        for (Node head : keys) {
            for (Node n = head; n != null; ) {
                Node next = n.nextByKey;
                addByKey(n);
                n = next;
            }
        }
        for (Node head : names) {
            for (Node n = head; n != null; ) {
                Node next = n.nextByName;
                addByName(n);
                n = next;
            }
        }
    }
}
