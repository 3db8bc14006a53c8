package dev.longshore.backend;

import dev.longshore.config.Home;
import dev.longshore.config.Settings;
import dev.longshore.engine.EngineDialer;
import dev.longshore.fileshare.fuse.CacheTimes;
import dev.longshore.fileshare.fuse.FuseServer;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import dev.longshore.fileshare.virtiofs.FileWorkers;
import dev.longshore.fileshare.virtiofs.VirtioFsConfig;
import dev.longshore.fileshare.virtiofs.VirtioFsDevice;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import dev.longshore.virtio.vsock.VsockHost;
import dev.longshore.vm.machine.MachineSpec;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file server and the guest's device for it. Belongs to the lifecycle thread, except {@link #apply}, which any thread may call at
 * any time, and what others read.
 */
final class HostFiles {
    private static final Logger LOG = LoggerFactory.getLogger(HostFiles.class);

    /** Requests that were begun when the guest left; a disk that does not answer must not keep the daemon. */
    private static final long IDLE_SECONDS = 5;

    private final Home home;
    private final IoEventLoop loop;
    private final VirtioFsConfig config;
    private final Limits limits;
    private final OwnFiles own;
    private final HostFolders folders;
    private final FileEvents events;
    private volatile @Nullable FuseServer server; // written by the lifecycle thread
    private volatile @Nullable VirtioFsDevice device; // the same
    private volatile @Nullable FileAccessLog accesses; // the same
    private @Nullable FileWorkers workers;
    private @Nullable VhostUserBackend socket;

    /**
     * Opens nothing yet.
     *
     * @param loop nobody else's: the host's files are waited for on it
     * @param takesConfig whether the machine asks the device for its tag
     * @param vsock by which the guest hears of changes
     */
    HostFiles(Home home, IoEventLoop loop, boolean takesConfig, Capacity capacity, VsockHost vsock) {
        this.home = home;
        own = OwnFiles.of(home);
        folders = new HostFolders(this::share, own);
        events = new FileEvents(vsock, folders::shared, own.outermost());
        this.loop = loop;
        config = new VirtioFsConfig(MachineSpec.FILES_TAG, takesConfig, 1);
        limits = new Limits(Capacity.MOST_NODES, capacity.fileNodes(), capacity.fileHandles());
    }

    /** Shares what the settings say. */
    void apply(Settings settings) {
        events.enable(settings.fileSharing().events());
        folders.apply(
                settings.fileSharing().directories(), settings.fileSharing().accessorDirectories());
        events.sharesChanged();
    }

    /** Who tells the guest of changes on the host. */
    FileEvents events() {
        return events;
    }

    /** Sources of bind mounts, and which folders those are. */
    HostFolders folders() {
        return folders;
    }

    Part part() {
        return new SimplePart("files", "", _ -> open(), this::close);
    }

    private void open() throws Exception {
        FuseServer made;
        synchronized (this) {
            made = new FuseServer(
                    shared(folders.shared()),
                    own.outermost(),
                    Ownership.ofThisProcess(),
                    limits,
                    CacheTimes.AUTO,
                    home.filesState());
            made.share(shared(folders.shared()), folders.accessors());
            server = made;
        }
        List<Path> ours = List.of(home.log(), home.filesState());
        FileWorkers threads = new FileWorkers(
                made.fileThreads("files-worker", FileWorkers.threads(), ours),
                made.fileThreads("files-slow", FileWorkers.SLOW_THREADS, ours));
        VirtioFsDevice fs = new VirtioFsDevice(loop, config, made, threads);
        VhostUserBackend listening = new VhostUserBackend(loop, fs, home.filesSocket());
        workers = threads;
        device = fs;
        accesses = new FileAccessLog(made::listen);
        socket = listening;
        try {
            Futures.get(listening.open());
            events.serve(made);
        } catch (Exception e) {
            close();
            throw e;
        }
    }

    private static List<SharedFolder> shared(List<Path> folders) {
        return folders.stream().map(SharedFolder::new).toList();
    }

    private synchronized void share(List<Path> now) {
        FuseServer open = server;
        if (open != null) {
            open.share(shared(now), folders.accessors());
        }
    }

    private void close() throws IOException {
        VhostUserBackend listening = socket;
        VirtioFsDevice fs = device;
        FileWorkers threads = workers;
        if (listening == null || fs == null || threads == null) {
            return;
        }
        socket = null;
        events.serve(null);
        FileAccessLog watched = accesses;
        if (watched != null) {
            watched.close();
        }
        Futures.settle(listening.close());
        boolean idle = fs.whenIdle().awaitUninterruptibly(IDLE_SECONDS, TimeUnit.SECONDS);
        threads.close();
        FuseServer open;
        synchronized (this) {
            open = server;
            server = null;
        }
        if (idle && open != null) {
            FuseServer last = open;
            Futures.settle(loop.submit(last::threadEnds));
            last.close();
        } else {
            // Its descriptors must not be closed under a system call: the number could be another file's by then.
            LOG.warn("the host has not answered all requests for files; the file server is left as it is");
        }
        folders.close();
    }

    void addTo(RunMeters meters) {
        FuseServer open = server;
        VirtioFsDevice fs = device;
        VhostUserBackend listening = socket;
        if (open != null && fs != null && listening != null) {
            meters.files(open, fs, listening);
            meters.fileEvents(events::figures);
        }
    }

    /** For observers; null while there is no server. */
    @Nullable
    FilesView view(EngineDialer dialer) {
        FuseServer open = server;
        VirtioFsDevice fs = device;
        FileAccessLog watched = accesses;
        return open == null || fs == null || watched == null
                ? null
                : new FilesView(folders, own, open, fs, events, watched, dialer);
    }
}
