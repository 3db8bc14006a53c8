package dev.longshore.fileshare.virtiofs;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import dev.longshore.fileshare.fuse.FuseHandler;
import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.vhostuser.VhostUserDevice;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A virtio-fs device: virtio 1.2, 5.11. Each chain of its queues is a FUSE request with the room for its reply, and is answered by
 * a {@link FuseHandler}. Confined to its event loop, which should be nobody else's: requests are handled on it.
 *
 * <p>Invariants: {@code underWay} exchanges are with workers or on their way back, at most {@link #MOST_UNDER_WAY}; each of them
 * retains the memory that it points into; of those, {@code ofQueue[i]} belong to the present life of queue i.
 */
public final class VirtioFsDevice implements VhostUserDevice {
    // Theory of operation
    //
    // What is waiting is taken from a queue at once. Is it little, then it is handled here: a request takes a few
    // microseconds, and waking another thread takes longer. Is it more, or does it wait for a disk, workers get it.
    //
    // Workers put what they have done on a stack without locks; who finds it empty wakes the loop, which gives all of
    // it
    // back to the guest with one interrupt.
    //
    // The guest's memory goes away when its front end does, or changes under way (QEMU). A system call in a worker
    // can't be
    // called back, so the memory is retained for it: it is unmapped when the last worker is done with it, and nothing
    // is
    // given back to a queue that has stopped since (its epoch has moved on). When the guest will go on, its answers are
    // waited for before the queue stops; when it has left, what no worker has begun is not done at all, and the handler
    // is reset when the last one is done. Until then requests of the next guest wait.

    private static final Logger LOG = LoggerFactory.getLogger(VirtioFsDevice.class);

    /** The queue of FORGETs: virtio 1.2, 5.11.2. */
    private static final int HIPRIO = 0;

    /** With so many at a time the loop handles them itself. Measured for virtiofsd, where three was too many. */
    private static final int SHALLOW = 2;

    /** Requests taken at once, and in one wake-up; then the loop's other work has its turn. */
    private static final int BATCH = 64;

    private static final int BUDGET = 256;

    /** Exchanges with workers: beyond it requests stay in their queue. UML's whole queue has as many descriptors. */
    static final int MOST_UNDER_WAY = 256;

    /** sizeof(struct fuse_in_header), Linux include/uapi/linux/fuse.h, and where its opcode is. */
    private static final int IN_HEADER_BYTES = 40;

    private static final int OPCODE_AT = 4;

    private static final ValueLayout.OfInt LE32 = JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final EventLoop loop;
    private final VirtioFsConfig config;
    private final FuseHandler handler;
    private final FileWorkers workers;
    private final Duration patience;
    private final VirtioFsCounters counters = new VirtioFsCounters();
    private final MemorySegment opcode = Arena.ofAuto().allocate(Integer.BYTES, Integer.BYTES);

    private final @Nullable Virtqueue[] queues;
    /** How often each queue has stopped. */
    private final int[] epochs;

    private final int[] ofQueue;
    private final boolean[] stalled;
    private final boolean[] news;
    private int underWay;
    private boolean resetting;
    private boolean leaving;
    private final VirtioFsExchange[] batch = new VirtioFsExchange[BATCH];
    private final ArrayDeque<VirtioFsExchange> idle = new ArrayDeque<>();
    private final List<Promise<Void>> awaitingIdle = new ArrayList<>();

    // Shared with workers.
    private final AtomicReference<@Nullable VirtioFsExchange> completed = new AtomicReference<>();
    private final Runnable collectTask = this::collect;
    /** Moves on when a front end leaves: what belongs to an older one need not be begun. Written on the loop. */
    private volatile long session;
    /** The loop's thread, while it waits for workers. */
    private volatile @Nullable Thread waiter;

    /** Handles {@code handler}'s requests on {@code loop} and on {@code workers}, which others may use as well. */
    public VirtioFsDevice(EventLoop loop, VirtioFsConfig config, FuseHandler handler, FileWorkers workers) {
        this(loop, config, handler, workers, Duration.ofSeconds(10));
    }

    /** @param patience how long a queue that stops waits for requests under way */
    VirtioFsDevice(EventLoop loop, VirtioFsConfig config, FuseHandler handler, FileWorkers workers, Duration patience) {
        this.loop = loop;
        this.config = config;
        this.handler = handler;
        this.workers = workers;
        this.patience = patience;
        int count = queueCount();
        queues = new Virtqueue[count];
        epochs = new int[count];
        ofQueue = new int[count];
        stalled = new boolean[count];
        news = new boolean[count];
    }

    public VirtioFsCounters counters() {
        return counters;
    }

    /** Requests with workers now. Thread-safe: may be a little old. */
    public int underWay() {
        return (int) (counters.pooled() + counters.slow() - counters.returned.get());
    }

    /**
     * Completes when no request is being handled and the handler has been reset, if it has to be: after the back end was closed,
     * nobody uses the handler any more. Thread-safe.
     */
    public Future<Void> whenIdle() {
        Promise<Void> promise = loop.newPromise();
        try {
            loop.execute(() -> {
                awaitingIdle.add(promise);
                settle();
            });
        } catch (RejectedExecutionException e) {
            promise.setFailure(e);
        }
        return promise;
    }

    @Override
    public String name() {
        return "fs";
    }

    @Override
    public int queueCount() {
        return 1 + config.requestQueues();
    }

    /** None: VIRTIO_FS_F_NOTIFICATION is known to no Linux driver up to 7.2. */
    @Override
    public long features() {
        return 0;
    }

    @Override
    public boolean offersConfig() {
        return config.offersConfig();
    }

    @Override
    public void readConfig(ByteBuf dst) {
        config.write(dst);
    }

    @Override
    public void onFeatures(long features) {
        // nothing of the device's own
    }

    @Override
    public void onQueueReady(Virtqueue queue) {
        queues[queue.index()] = queue;
        stalled[queue.index()] = false;
    }

    @Override
    public void onKick(Virtqueue queue) {
        if (!resetting && !stalled[queue.index()]) {
            receive(queue);
        }
    }

    /** Whatever the guest asked for, it will not look at the answers. */
    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // the loop alone writes it
    public void onLeaving() {
        leaving = true;
        session++;
    }

    @Override
    public void onQueueStopped(Virtqueue queue) {
        int index = queue.index();
        try {
            if (!leaving && ofQueue[index] > 0) {
                awaitWorkers(index);
            }
        } finally {
            epochs[index]++;
            ofQueue[index] = 0;
            queues[index] = null;
        }
    }

    @Override
    public void onDisconnected() {
        leaving = false;
        resetting = true;
        settle();
    }

    /** The handler is reset and whoever waits is told, if no worker has an exchange. */
    private void settle() {
        if (underWay > 0) {
            return;
        }
        if (resetting) {
            resetting = false;
            handler.reset();
            for (Virtqueue queue : queues) {
                if (queue != null) {
                    receive(queue); // of the next guest
                }
            }
        }
        awaitingIdle.forEach(p -> p.trySuccess(null));
        awaitingIdle.clear();
    }

    // ---- from the guest

    private void receive(Virtqueue queue) {
        queue.disableNotifications();
        for (int left = BUDGET; left > 0; left -= BATCH) {
            int n = take(queue);
            handleBatch(queue, n);
            if (underWay >= MOST_UNDER_WAY && queue.index() != HIPRIO) {
                stalled[queue.index()] = true; // no kick is needed: what comes back from the workers goes on with it
                counters.stalls.increment();
                return;
            }
            if (n < BATCH && !queue.enableNotifications()) {
                return;
            }
        }
        queue.kickAgain();
    }

    /** Fills the batch, and returns with how many chains. */
    private int take(Virtqueue queue) {
        int most = queue.index() == HIPRIO ? BATCH : Math.min(BATCH, MOST_UNDER_WAY - underWay);
        for (int n = 0; n < most; n++) {
            VirtioFsExchange exchange = idle.isEmpty() ? new VirtioFsExchange(this) : idle.removeLast();
            if (!queue.pop(exchange.chain)) {
                idle.addLast(exchange);
                return n;
            }
            exchange.begin(queue.index(), epochs[queue.index()], session);
            batch[n] = exchange;
        }
        return most;
    }

    private void handleBatch(Virtqueue queue, int n) {
        boolean shallow = n + underWay <= SHALLOW;
        for (int i = 0; i < n; i++) {
            VirtioFsExchange exchange = batch[i];
            if (exchange.requestBytes() < IN_HEADER_BYTES) {
                counters.malformed.increment();
                exchange.complete(0); // the guest's own driver makes an error of it
                continue;
            }
            exchange.opcode = opcode(exchange);
            boolean slow = handler.isSlow(exchange.opcode);
            if (queue.index() == HIPRIO || (shallow && !slow)) {
                counters.inline.increment();
                handle(exchange);
            } else {
                submit(queue, exchange, slow);
            }
        }
        flush();
    }

    /** A hint only: the guest may change it before the handler looks. */
    private int opcode(VirtioFsExchange exchange) {
        exchange.copyRequest(OPCODE_AT, opcode, Integer.BYTES);
        return opcode.get(LE32, 0);
    }

    private void submit(Virtqueue queue, VirtioFsExchange exchange, boolean slow) {
        GuestMemory memory = queue.memory();
        if (memory == null) { // the guest broke the queue after this chain
            exchange.complete(0);
            return;
        }
        memory.retain();
        exchange.retained = memory;
        underWay++;
        ofQueue[exchange.queue]++;
        (slow ? counters.slow : counters.pooled).increment();
        if (!workers.execute(exchange, slow)) {
            exchange.complete(0);
        }
    }

    // ---- on the loop or on a worker

    /** Answers a request. */
    void handle(VirtioFsExchange exchange) {
        if (exchange.session != session) {
            exchange.complete(0);
            return;
        }
        int use = exchange.use();
        try {
            handler.handle(exchange);
        } catch (RuntimeException | Error e) { // an Error may be guest memory that is gone
            LOG.error("fs: bug while handling a request", e);
            exchange.failIfOpen(use);
        }
    }

    /** An exchange is done, its reply written. */
    void onCompleted(VirtioFsExchange exchange) {
        if (loop.inEventLoop()) {
            finish(exchange);
            return;
        }
        VirtioFsExchange top = completed.get();
        exchange.below = top;
        while (!completed.compareAndSet(top, exchange)) {
            top = completed.get();
            exchange.below = top;
        }
        if (top == null) {
            wakeLoop();
        }
        Thread waits = waiter;
        if (waits != null) {
            LockSupport.unpark(waits);
        }
    }

    private void wakeLoop() {
        try {
            loop.execute(collectTask);
        } catch (RejectedExecutionException e) {
            LOG.debug("fs: a request outlived the event loop"); // and with it the daemon, or a test
        }
    }

    // ---- back to the guest

    private void collect() {
        finishCompleted();
        try {
            flush();
        } finally {
            settle();
        }
        for (Virtqueue queue : queues) {
            if (queue != null && stalled[queue.index()] && underWay < MOST_UNDER_WAY) {
                stalled[queue.index()] = false;
                receive(queue);
            }
        }
    }

    private void finishCompleted() {
        VirtioFsExchange exchange = completed.getAndSet(null);
        while (exchange != null) {
            VirtioFsExchange below = exchange.below;
            exchange.below = null;
            finish(exchange);
            exchange = below;
        }
    }

    private void finish(VirtioFsExchange exchange) {
        int index = exchange.queue;
        Virtqueue queue = queues[index];
        boolean current = exchange.epoch == epochs[index] && queue != null;
        if (current && queue != null && push(queue, exchange)) {
            counters.answered(exchange.opcode, exchange.error, exchange.requestBytes(), exchange.replyBytes);
            news[index] = true;
        } else {
            counters.abandoned.increment();
        }
        GuestMemory memory = exchange.retained;
        if (memory != null) {
            exchange.retained = null;
            underWay--;
            counters.returned.increment();
            ofQueue[index] -= current ? 1 : 0;
            memory.release();
        }
        idle.addLast(exchange);
    }

    /** False if the ring's memory is gone (SIGBUS): the front end truncated its file. Whatever is under way must come back all the same. */
    private static boolean push(Virtqueue queue, VirtioFsExchange exchange) {
        try {
            queue.push(exchange.chain.head(), exchange.replyBytes);
            return true;
        } catch (InternalError e) {
            LOG.debug("fs: an answer for a guest whose memory is gone", e);
            return false;
        }
    }

    private void flush() {
        for (Virtqueue queue : queues) {
            if (queue != null && news[queue.index()]) {
                news[queue.index()] = false;
                queue.flush();
            }
        }
    }

    /** Until all requests of the queue are answered, or patience ends: then the guest never gets these answers. */
    private void awaitWorkers(int index) {
        long deadline = System.nanoTime() + patience.toNanos();
        waiter = Thread.currentThread();
        finishCompleted();
        for (long left = patience.toNanos(); ofQueue[index] > 0 && left > 0; left = deadline - System.nanoTime()) {
            LockSupport.parkNanos(this, left);
            finishCompleted();
        }
        waiter = null;
        if (ofQueue[index] > 0) {
            LOG.warn("fs: queue {} stops with {} requests that the host has not answered", index, ofQueue[index]);
        }
        flush();
    }
}
