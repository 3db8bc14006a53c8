package dev.longshore.vpnkit.hostsocket;

import dev.longshore.linux.DatagramSockets;
import dev.longshore.linux.Errno;
import dev.longshore.linux.ErrorQueue;
import dev.longshore.linux.FdWatch;
import dev.longshore.linux.ReceiveBatch;
import dev.longshore.linux.SendBatch;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEventLoop;
import io.netty.channel.epoll.EpollIoOps;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The host's datagram sockets of one event loop. Datagrams cross by the batch, through memory that all sockets share, and
 * cost no object; errors come with what the network said about whom. Confined to the event loop.
 *
 * <p>Theory of operation: what is sent waits in the batch until {@link #flush}, a datagram of another socket, or the batch is
 * full. A socket that has something is read up to {@link #ROUNDS} batches in a row; when it has nothing although it was
 * said to be ready, it has an error, and the error queue is read.
 */
public final class HostDatagrams {
    private static final Logger LOG = LoggerFactory.getLogger(HostDatagrams.class);
    private static final int ROUNDS = 4;
    private static final int ERRORS_AT_ONCE = 64;

    /** Wished for: bursts of a guest or a remote are longer than the kernel's default takes. */
    private static final int BUFFER_BYTES = 1 << 20;

    private final EventLoop loop;
    private final DatagramSockets calls = new DatagramSockets();
    private final HostError error = new HostError();
    private final Runnable flushTask = this::flushNow;
    private @Nullable Batches batches;
    private @Nullable Socket pending;
    private boolean flushScheduled;

    /** Memory for a megabyte of datagrams, made with the first socket. */
    private static final class Batches {
        final ReceiveBatch in = new ReceiveBatch();
        final SendBatch out = new SendBatch();
        final ErrorQueue errors = new ErrorQueue();
    }

    /** The owner of a socket. */
    public interface Receiver {
        /**
         * One datagram: {@code len} bytes at {@code at} of {@code b}, borrowed. Addresses are 128 bits, IPv4 mapped.
         *
         * @param localHi {@code localLo} too: the host's address it came to, both 0 unless the socket asked for it
         * @param hops its TTL or hop limit, -1 unless the socket asked for it
         */
        void onDatagram(
                ByteBuf b,
                int at,
                int len,
                long remoteHi,
                long remoteLo,
                int remotePort,
                long localHi,
                long localLo,
                int hops);

        /** After the datagrams that were ready. */
        void onReadComplete();

        /** A datagram sent before did not get through. Must not send. */
        void onError(HostError error);

        /** A datagram is lost, and there is nothing to say about it but that. */
        void onDropped();
    }

    public HostDatagrams(EventLoop loop) {
        this.loop = loop;
    }

    /** A UDP socket of one family, not bound yet; or the negated errno as {@link Opened#errno}. */
    public Opened openUdp(boolean v4, Receiver receiver) {
        return watch(calls.udp(v4), v4, receiver);
    }

    /** Takes over a datagram socket; closed in all cases. */
    Opened watch(int fd, boolean v4, Receiver receiver) {
        assert loop.inEventLoop();
        if (fd < 0) {
            return new Opened(null, -fd);
        }
        if (batches == null) {
            batches = new Batches();
        }
        calls.receiveErrors(fd, v4);
        calls.bufferBytes(fd, BUFFER_BYTES);
        return new Opened(new Socket(fd, v4, receiver, batches), 0);
    }

    /** A ping socket, which speaks ICMP echo. */
    public Opened openPing(boolean v4, Receiver receiver) {
        return watch(calls.ping(v4), v4, receiver);
    }

    /** A raw socket that receives echo replies: for privileged processes only. */
    public Opened openRawEcho(boolean v4, Receiver receiver) {
        return watch(calls.rawEcho(v4), v4, receiver);
    }

    /** A socket, or why there is none. */
    public record Opened(@Nullable Socket socket, int errno) {}

    /** Sends what waits. */
    public void flush() {
        Socket s = pending;
        if (s != null) {
            pending = null;
            s.batches.out.send(s.watch.number(), s);
        }
    }

    /** Flushes once before the loop's next tasks, for who has no batch of its own. */
    public void flushSoon() {
        if (!flushScheduled) {
            flushScheduled = true;
            loop.execute(flushTask);
        }
    }

    private void flushNow() {
        flushScheduled = false;
        flush();
    }

    /** One socket. Confined to the event loop. */
    public final class Socket implements SendBatch.Failures {
        private static final int UNKNOWN = -1;

        private final boolean v4;
        private final Receiver receiver;
        private final Batches batches;
        private final FdWatch watch;
        private int hops = UNKNOWN;
        private int trafficClass;
        private int pathMtuDiscovery = UNKNOWN;
        private boolean closed;

        private Socket(int fd, boolean v4, Receiver receiver, Batches batches) {
            this.v4 = v4;
            this.receiver = receiver;
            this.batches = batches;
            FdWatch opened = FdWatch.open((IoEventLoop) loop, fd, EpollIoOps.EPOLLIN, this::onReady, this::onBug);
            if (opened == null) {
                throw new IllegalStateException("a socket that can't be polled");
            }
            this.watch = opened;
        }

        public boolean isV4() {
            return v4;
        }

        /** 0, or the positive errno. */
        public int bind(long hi, long lo, int port) {
            return -calls.bind(watch.number(), hi, lo, port);
        }

        /** 0, or the positive errno. */
        public int connect(long hi, long lo, int port) {
            return -calls.connect(watch.number(), hi, lo, port);
        }

        public int localPort() {
            return calls.localPort(watch.number());
        }

        /** Datagrams come with their hops from now on. */
        public Socket receiveHops() {
            calls.receiveHops(watch.number(), v4);
            return this;
        }

        /** Datagrams come with the address they were sent to from now on. */
        public Socket receiveLocalAddress() {
            calls.receiveLocalAddress(watch.number(), v4);
            return this;
        }

        /** How the next datagrams travel: 1..255 hops, DSCP in its place, cut or not where they are too big. */
        public void travel(int newHops, int newTrafficClass, boolean dontFragment) {
            int discovery = dontFragment ? DatagramSockets.DONT_FRAGMENT : DatagramSockets.MAY_FRAGMENT;
            if (newHops != hops || newTrafficClass != trafficClass || discovery != pathMtuDiscovery) {
                changeTravel(newHops, newTrafficClass, discovery);
            }
        }

        private void changeTravel(int newHops, int newTrafficClass, int discovery) {
            if (pending == this) {
                flush();
            }
            if (closed) {
                return;
            }
            if (newHops != hops) {
                hops = newHops;
                calls.hops(watch.number(), v4, newHops);
            }
            if (newTrafficClass != trafficClass) {
                trafficClass = newTrafficClass;
                calls.trafficClass(watch.number(), v4, newTrafficClass);
            }
            if (discovery != pathMtuDiscovery) {
                pathMtuDiscovery = discovery;
                calls.pathMtuDiscovery(watch.number(), v4, discovery);
            }
        }

        /**
         * Sends {@code len} bytes at {@code from} of {@code b}, which are copied, with the next {@link #flush}.
         *
         * @param localHi {@code localLo} too: the host's address to send from, or both 0 for any
         */
        public void send(ByteBuf b, int from, int len, long hi, long lo, int port, long localHi, long localLo) {
            SendBatch out = batches.out;
            if (closed) {
                return;
            }
            if (pending != this || !out.hasRoom(len)) {
                flush();
            }
            pending = this;
            out.add(b, from, len, hi, lo, port, localHi, localLo);
        }

        private void onReady() {
            ReceiveBatch in = batches.in;
            for (int round = 0; round < ROUNDS && !closed; round++) {
                int n = in.receive(watch.number());
                if (n == 0) {
                    readErrors();
                }
                for (int i = 0; i < n && !closed; i++) {
                    receiver.onDatagram(
                            in.payload(),
                            in.at(i),
                            in.bytes(i),
                            in.remoteHi(i),
                            in.remoteLo(i),
                            in.remotePort(i),
                            in.localHi(i),
                            in.localLo(i),
                            in.hops(i));
                }
                if (n < ReceiveBatch.MAX) {
                    break;
                }
            }
            receiver.onReadComplete();
        }

        private void readErrors() {
            ErrorQueue queue = batches.errors;
            for (int i = 0; i < ERRORS_AT_ONCE && !closed && queue.next(watch.number()); i++) {
                if (error.fill(queue, v4)) {
                    receiver.onError(error);
                } else {
                    receiver.onDropped();
                }
            }
        }

        @Override
        public void onSendFailed(int datagram, int errno) {
            if (errno != Errno.EAGAIN && errno != Errno.ENOBUFS && error.fill(batches.out, datagram, errno, v4)) {
                receiver.onError(error);
            } else {
                receiver.onDropped();
            }
        }

        private void onBug(Throwable t) {
            LOG.error("fault at a datagram socket of the host", t);
        }

        /** What waits is sent. Idempotent. */
        public void close() {
            if (!closed) {
                if (pending == this) {
                    flush();
                }
                closed = true;
                watch.close();
            }
        }
    }
}
