package dev.longshore.fileshare.fuse;

import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.HandleTable;
import dev.longshore.fileshare.share.Host;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.NodeTable;
import dev.longshore.fileshare.share.OwnChanges;
import dev.longshore.fileshare.share.Owners;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import dev.longshore.fileshare.share.SharedFolders;
import dev.longshore.fileshare.share.Withheld;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/**
 * Answers the guest's kernel from the host's shared folders. Thread-safe.
 *
 * <p>A thread that handles a request belongs to the file server from then on: its file mode mask is 0, it has its own working
 * directory, and, if this process is root, no supplementary groups. So no thread that makes files for others may handle one, and
 * no virtual thread.
 */
public final class FuseServer implements FuseHandler, AutoCloseable {
    private final Owners owners;
    private final NodeTable nodes;
    private final HandleTable handles;
    private final SharedFolders folders;
    private final Withheld withheld;
    private final CacheTimes times;
    private final OwnChanges own = new OwnChanges();
    private final FuseCounters counters = new FuseCounters();
    private final AccessTap tap = new AccessTap();

    /** Of each thread that has handled a request. Not a ThreadLocal: its values would outlive this server. */
    private final Map<Thread, Worker> workers = new ConcurrentHashMap<>();

    /** Of threads that have ended: as many as there ever were at a time. */
    private final Queue<Buffers> spare = new ConcurrentLinkedQueue<>();

    /**
     * @param shared at first: {@link #share} changes it
     * @param withheld directories that no guest gets, though they be in a shared folder: absolute and normalized
     * @param stateDirectory holds what files cannot carry themselves; made if it is not there, for this user alone
     */
    public FuseServer(
            List<SharedFolder> shared,
            List<Path> withheld,
            Ownership ownership,
            Limits limits,
            CacheTimes times,
            Path stateDirectory)
            throws IOException {
        Files.createDirectories(stateDirectory);
        owners = new Owners(ownership, stateDirectory);
        nodes = new NodeTable(limits, owners);
        handles = new HandleTable(nodes, limits);
        this.withheld = new Withheld(withheld, nodes);
        folders = new SharedFolders(nodes, handles, this.withheld);
        this.times = times;
        share(shared);
    }

    /** With nothing withheld. */
    public FuseServer(
            List<SharedFolder> shared, Ownership ownership, Limits limits, CacheTimes times, Path stateDirectory)
            throws IOException {
        this(shared, List.of(), ownership, limits, times, stateDirectory);
    }

    /** As this process can do it best, with the usual times and nothing withheld. */
    public FuseServer(List<SharedFolder> shared, Path stateDirectory) throws IOException {
        this(shared, Ownership.ofThisProcess(), Limits.ofThisProcess(), CacheTimes.AUTO, stateDirectory);
    }

    /** From now on these folders are shared and no others. May be called by any thread. */
    public void share(List<SharedFolder> shared) {
        share(shared, List.of());
    }

    /**
     * The same.
     *
     * @param accessors directories in which files without an owner of their own seem to belong to whoever asks: absolute and without links
     */
    public void share(List<SharedFolder> shared, List<Path> accessors) {
        Host host = new Host();
        try {
            folders.set(shared, accessors, host);
        } finally {
            host.posix.close();
        }
    }

    /** From now on {@code listener} hears of what the guest does, or nobody if it is null. May be called by any thread. */
    public void listen(FileAccess.@Nullable Listener listener) {
        tap.listener(listener);
    }

    /**
     * Threads to handle requests with, which can open nothing but what is shared.
     *
     * @param most threads at a time
     * @param writable directories that they may use besides: of logs
     */
    public FileThreads fileThreads(String name, int most, List<Path> writable) {
        return new FileThreads(this, folders, name, most, writable);
    }

    private Worker newWorker() {
        workers.forEach((t, w) -> {
            if (!t.isAlive() && workers.remove(t, w)) {
                ended(w);
            }
        });
        Buffers left = spare.poll();
        Buffers buffers = left == null ? new Buffers() : left;
        return new Worker(this, new Context(nodes, handles, folders, withheld, owners, own, times, tap, buffers));
    }

    @Override
    public void handle(FuseExchange exchange) {
        Thread thread = Thread.currentThread();
        Worker w = workers.get(thread);
        if (w == null) {
            w = newWorker();
            workers.put(thread, w);
        }
        w.handle(exchange);
    }

    @Override
    public boolean isSlow(int opcode) {
        return switch (opcode) {
            case Opcode.FSYNC, Opcode.FSYNCDIR, Opcode.SYNCFS, Opcode.FALLOCATE, Opcode.COPY_FILE_RANGE -> true;
            default -> false;
        };
    }

    @Override
    public void reset() {
        Host host = new Host();
        try {
            handles.closeAll(host);
            nodes.clear(host);
        } finally {
            host.posix.close();
        }
    }

    /** The calling thread will handle no more requests: gives back what was held for it. */
    public void threadEnds() {
        Worker w = workers.remove(Thread.currentThread());
        if (w != null) {
            ended(w);
        }
    }

    private void ended(Worker w) {
        w.context().host.posix.close();
        spare.add(w.context().buffers);
    }

    /** What the guest has changed lately. */
    public OwnChanges ownChanges() {
        return own;
    }

    /** True if the guest may know the directory: nobody in it can watch another. Roots of shared folders are not looked for. */
    public boolean knows(int dev, long ino) {
        return nodes.knows(dev, ino);
    }

    /** True if the directory that {@code found} tells of is withheld from guests. */
    public boolean withholds(Stat found) {
        return withheld.mask(found) != null;
    }

    /** What was done so far. May be read by any thread, as what follows. */
    public FuseCounters counters() {
        return counters;
    }

    /** Requests that ended in an exception: ours, whatever the guest sent. */
    long bugs() {
        return counters.bugs();
    }

    /** Files and directories that the guest has open now. */
    public int handleCount() {
        return handles.size();
    }

    /** Inodes that the guest knows now. */
    public int nodeCount() {
        return nodes.size();
    }

    /** Descriptors open now, for inodes and for open files. */
    public int descriptorCount() {
        return nodes.openCount() + handles.size();
    }

    /** No request is being handled. */
    @Override
    public void close() throws IOException {
        share(List.of());
        reset();
        workers.values().forEach(w -> w.context().host.posix.close());
        workers.clear();
        withheld.close();
        owners.close();
    }
}
