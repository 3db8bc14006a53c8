package dev.longshore.linux;

import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoEvent;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A raw descriptor in the event loop's own epoll set. Owns the descriptor. Confined to the event loop. */
public final class FdWatch implements EpollIoHandle {
    private final FileDescriptor fd;
    private final Ready onReady;
    private final Consumer<Throwable> onBug;
    private @Nullable IoRegistration registration;
    private boolean closed;

    private FdWatch(int fd, Ready onReady, Consumer<Throwable> onBug) {
        this.fd = new FileDescriptor(fd);
        this.onReady = onReady;
        this.onBug = onBug;
    }

    /**
     * Calls {@code onReady} whenever the descriptor may have something: level-triggered for {@code EPOLLIN}, once for each
     * wake-up with {@code EPOLLET}. It may also come without reason.
     *
     * @param fd owned by the watch from now on, closed in all cases
     * @param onBug gets what {@code onReady} throws
     * @return null if the kernel refuses to poll the descriptor (an ordinary file); it has been closed
     */
    public static @Nullable FdWatch open(
            IoEventLoop loop, int fd, EpollIoOps ops, Runnable onReady, Consumer<Throwable> onBug) {
        return openForEvents(loop, fd, ops, _ -> onReady.run(), onBug);
    }

    /** As {@link #open}, for an {@code onReady} that asks what the descriptor is ready for. */
    public static @Nullable FdWatch openForEvents(
            IoEventLoop loop, int fd, EpollIoOps ops, Ready onReady, Consumer<Throwable> onBug) {
        assert loop.inEventLoop();
        FdWatch watch = new FdWatch(fd, onReady, onBug);
        Future<IoRegistration> registered = loop.register(watch); // completes at once on the loop itself
        if (!registered.isSuccess()) {
            watch.close();
            return null;
        }
        IoRegistration registration = registered.getNow();
        watch.registration = registration;
        try {
            registration.submit(ops);
        } catch (UncheckedIOException e) { // an ordinary file: adding it is silently ignored, changing it is not
            watch.close();
            return null;
        }
        return watch;
    }

    /** Waits for these events from now on. */
    public void interest(EpollIoOps ops) {
        IoRegistration open = registration;
        if (open != null && !closed) {
            open.submit(ops);
        }
    }

    public int number() {
        return fd.intValue();
    }

    @Override
    public FileDescriptor fd() {
        return fd;
    }

    @Override
    public void handle(IoRegistration ignored, IoEvent event) {
        if (closed) {
            return;
        }
        try {
            onReady.onReady(((EpollIoEvent) event).ops());
        } catch (Throwable t) { // the loop's edge: Netty would sleep for a second on it
            onBug.accept(t);
        }
    }

    /** Hears what a descriptor is ready for: EPOLLIN, EPOLLOUT, EPOLLERR in any combination. */
    public interface Ready {
        void onReady(EpollIoOps events);
    }

    /** Leaves the epoll set and closes the descriptor. Idempotent. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (registration != null) {
            registration.cancel(); // before closing: a front end may hold the same open file, epoll would keep it
        }
        try {
            fd.close();
        } catch (IOException e) {
            onBug.accept(e);
        }
    }
}
