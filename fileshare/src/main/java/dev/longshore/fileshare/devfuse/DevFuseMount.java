package dev.longshore.fileshare.devfuse;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.longshore.fileshare.fuse.FuseHandler;
import dev.longshore.fileshare.os.FileData;
import dev.longshore.fileshare.os.Mounts;
import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.linux.Errno;
import dev.longshore.linux.Linux;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file system of this machine's kernel, answered by threads that each read requests from {@code /dev/fuse}: Linux
 * Documentation/filesystems/fuse.rst. Mounted in the mount namespace of the process, with the kernel checking permissions.
 * Thread-safe.
 */
public final class DevFuseMount implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(DevFuseMount.class);

    /** FUSE_BUFFER_HEADER_SIZE and the longest WRITE. */
    private static final int BUFFER_BYTES = 4096 + (1 << 20);

    private final int fd;
    private final String target;
    private final FuseHandler handler;
    private final Runnable threadEnds;
    private final List<Thread> threads = new ArrayList<>();

    private DevFuseMount(int fd, String target, FuseHandler handler, Runnable threadEnds) {
        this.fd = fd;
        this.target = target;
        this.handler = handler;
        this.threadEnds = threadEnds;
    }

    /**
     * Opens {@code /dev/fuse} and mounts it at {@code target}, a directory. Needs CAP_SYS_ADMIN.
     *
     * @return the descriptor, to be handed to {@link #serve}, or a negated errno
     */
    public static int mount(Path target) {
        Posix posix = new Posix();
        int fd = posix.openat(Open.AT_FDCWD, posix.name("/dev/fuse".getBytes(UTF_8)), Open.O_RDWR | Open.O_CLOEXEC, 0);
        if (fd < 0) {
            return fd;
        }
        String options = "fd=" + fd + ",rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions";
        int r = new Mounts().mount("longshore", target.toString(), "fuse.longshore", 0, options);
        if (r < 0) {
            posix.close(fd);
            return r;
        }
        return fd;
    }

    /**
     * Starts to answer.
     *
     * @param fd of {@link #mount}; becomes the result's
     * @param threadEnds called by each thread as the last
     */
    public static DevFuseMount serve(int fd, Path target, FuseHandler handler, int threads, Runnable threadEnds) {
        DevFuseMount mount = new DevFuseMount(fd, target.toString(), handler, threadEnds);
        for (int i = 0; i < threads; i++) {
            mount.threads.add(Thread.ofPlatform().name("fuse-" + i).daemon().start(mount::run));
        }
        return mount;
    }

    /** {@link #mount} and {@link #serve}. */
    public static DevFuseMount of(Path target, FuseHandler handler, int threads, Runnable threadEnds)
            throws IOException {
        int fd = mount(target);
        if (fd < 0) {
            throw new IOException("mount " + target + ": " + Errno.text(-fd));
        }
        return serve(fd, target, handler, threads, threadEnds);
    }

    private void run() {
        FileData data = new FileData();
        DevFuseExchange exchange = new DevFuseExchange(fd, data, BUFFER_BYTES);
        try {
            while (true) {
                long n = exchange.receive();
                if (n == -Errno.ENODEV) {
                    return; // unmounted
                }
                if (n < 0) {
                    if (n == -Errno.ENOENT || n == -Linux.EINTR || n == -Errno.EAGAIN) {
                        continue; // it was interrupted before we had it
                    }
                    log.error("/dev/fuse: {}", Errno.text((int) -n));
                    return;
                }
                handler.handle(exchange);
            }
        } finally {
            threadEnds.run();
        }
    }

    /** Waits until it is unmounted. */
    public void join() throws InterruptedException {
        for (Thread t : threads) {
            t.join();
        }
    }

    /** Unmounts it, whoever uses it, and ends. */
    @Override
    public void close() {
        new Mounts().detach(target);
        try {
            join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the threads end by themselves
        }
        new Posix().close(fd);
    }
}
