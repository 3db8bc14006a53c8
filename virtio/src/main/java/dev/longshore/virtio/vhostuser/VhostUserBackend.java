package dev.longshore.virtio.vhostuser;

import dev.longshore.linux.FdWatch;
import dev.longshore.linux.Linux;
import dev.longshore.virtio.virtqueue.QueueSignals;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.channel.IoEventLoop;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts one device on one Unix socket and serves one front end at a time; the next one waits in the socket's backlog.
 *
 * <p>Confined to its event loop, except {@link #open} and {@link #close}, which any thread may call.
 */
public final class VhostUserBackend implements QueueSignals {
    private static final Logger LOG = LoggerFactory.getLogger(VhostUserBackend.class);

    private static final EpollIoOps EDGE = EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLET);

    private final IoEventLoop loop;
    private final VhostUserDevice device;
    private final Path path;
    private final Linux linux = new Linux(); // used on the loop only
    private final Virtqueue[] queues;
    private @Nullable FdWatch listener;
    private @Nullable FdWatch again;
    private @Nullable FrontEndSession session;
    private boolean closed;

    /**
     * Opens nothing yet.
     *
     * @param path of the socket; its directory exists. At most {@link Linux#MAX_SOCKET_PATH_BYTES} bytes
     */
    public VhostUserBackend(IoEventLoop loop, VhostUserDevice device, Path path) {
        this.loop = loop;
        this.device = device;
        this.path = path;
        this.queues = new Virtqueue[device.queueCount()];
        for (int i = 0; i < queues.length; i++) {
            queues[i] = new Virtqueue(i, this);
        }
    }

    /** Listens. A socket left over at the path is replaced. Fails with the reason, which names the path. */
    public Future<Void> open() {
        return onLoop(this::listen);
    }

    /** Ends the session, stops listening, removes the socket. Idempotent. */
    public Future<Void> close() {
        return onLoop(this::closeNow);
    }

    /** Those of the device, whether a front end uses them or not. */
    public int queueCount() {
        return queues.length;
    }

    /** Queue {@code i}, for its counters and its state; the same object for the back end's whole life. */
    public Virtqueue queue(int i) {
        return queues[i];
    }

    /** True while a front end is connected. On the event loop. */
    public boolean isConnected() {
        assert loop.inEventLoop();
        return session != null;
    }

    /** Tells the guest to read the config space again, if its front end can be told. On the event loop. */
    public void configChanged() {
        assert loop.inEventLoop();
        if (session != null) {
            session.sendConfigChange();
        }
    }

    @Override
    public void call(Virtqueue queue) {
        if (session != null) {
            session.call(queue);
        }
    }

    @Override
    public void kickAgain(Virtqueue queue) {
        if (session != null && again != null) {
            session.markAgain(queue);
            linux.writeOne(again.number());
        }
    }

    /** The eventfd we wrote to ourselves: a task on the loop would run before the loop looks at its descriptors again. */
    private void onAgain() {
        if (session != null) {
            session.kickMarked();
        }
    }

    @Override
    public void broken(Virtqueue queue) {
        if (session != null) {
            session.broken(queue);
        }
    }

    private void listen() throws IOException {
        if (closed) {
            throw new IOException("closed before it was opened: " + path);
        }
        if (path.toString().getBytes(StandardCharsets.UTF_8).length > Linux.MAX_SOCKET_PATH_BYTES) {
            throw new IOException("socket path is longer than " + Linux.MAX_SOCKET_PATH_BYTES + " bytes: " + path);
        }
        removeStaleSocket();
        int fd = checked(linux.unixSocket(), "socket");
        try {
            checked(linux.bind(fd, path.toString()), "bind");
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
            checked(linux.listen(fd, 1), "listen"); // nobody can connect before this
        } catch (IOException e) {
            linux.close(fd);
            throw e;
        }
        int eventFd = checked(linux.eventfd(), "eventfd");
        again = FdWatch.open(loop, eventFd, EDGE, this::onAgain, this::logBug);
        listener = FdWatch.open(loop, fd, EDGE, this::acceptNext, this::logBug);
        LOG.debug("{}: listening on {}", device.name(), path);
    }

    private void removeStaleSocket() throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        boolean other = Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)
                || Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)
                || Files.isSymbolicLink(path);
        if (other) {
            throw new IOException("exists and is not a socket: " + path);
        }
        Files.delete(path);
    }

    private int checked(int result, String call) throws IOException {
        if (result < 0) {
            throw new IOException(call + " failed with errno " + -result + ": " + path);
        }
        return result;
    }

    /** Takes the next front end, unless one is being served. */
    private void acceptNext() {
        if (listener == null || session != null) {
            return; // edge-triggered: who waits is taken when the session ends
        }
        int fd = linux.accept(listener.number());
        if (fd >= 0) {
            LOG.info("{}: front end connected", device.name());
            session = FrontEndSession.open(loop, linux, device, queues, fd, this::onSessionClosed);
        } else if (fd != -Linux.EAGAIN) {
            LOG.warn("{}: accept failed with errno {}: {}", device.name(), -fd, path);
        }
    }

    private void onSessionClosed() {
        session = null;
        if (!closed) {
            loop.execute(this::acceptNext);
        }
    }

    private void closeNow() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        if (session != null) {
            session.close("the daemon stops");
        }
        if (again != null) {
            again.close();
            again = null;
        }
        if (listener != null) {
            listener.close();
            listener = null;
            Files.deleteIfExists(path);
        }
    }

    private void logBug(Throwable t) {
        LOG.error("{}: bug on the event loop", device.name(), t);
    }

    private interface Action {
        void run() throws IOException;
    }

    private Future<Void> onLoop(Action action) {
        Promise<Void> done = loop.newPromise();
        Runnable task = () -> {
            try {
                action.run();
                done.setSuccess(null);
            } catch (IOException | RuntimeException e) {
                done.setFailure(e);
            }
        };
        if (loop.inEventLoop()) {
            task.run();
        } else {
            loop.execute(task);
        }
        return done;
    }
}
