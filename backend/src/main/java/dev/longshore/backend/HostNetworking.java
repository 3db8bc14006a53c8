package dev.longshore.backend;

import dev.longshore.config.VsockPorts;
import dev.longshore.control.Events;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.ExposeResult;
import dev.longshore.portforward.Forward;
import dev.longshore.portforward.HostEndpoint;
import dev.longshore.portforward.Owner;
import dev.longshore.portforward.PortTable;
import dev.longshore.virtio.vsock.VsockHost;
import dev.longshore.vpnkit.ip.IpPlan;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Host networking: what containers in the guest's own network listen on is on the host's loopback, and what the host serves there
 * is on theirs. Thread-safe: the public methods hand themselves to the vsock device's loop, to which the rest is confined.
 *
 * <p>While it is switched on and such a container runs, there is one session with the guest's agent, which tells who listens in
 * the guest, hears what the host serves, and makes the rules of the guest's packet filter ({@code guest/hostnet.c}). Everything
 * ends with the session: no crash of either side leaves a listener or a rule.
 */
final class HostNetworking implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HostNetworking.class);
    private static final IpAddress LOOPBACK_V4 = IpAddress.v4(0x7F00_0001);
    private static final IpAddress LOOPBACK_V6 = new IpAddress(0, 1);
    private static final int MAX_LINE_CHARS = 512;
    private static final int MAX_LISTENERS = 1024;
    private static final long AGAIN_MILLIS = 1000;
    private static final long RETRY_SECONDS = 5;
    private static final long LOOK_MILLIS = 1000;

    private final EventLoop loop;
    private final VsockHost vsock;
    private final PortTable ports;
    private final IpPlan plan;
    private final HostServices services;
    private final Consumer<Events.What> events;
    private final ScheduledExecutorService looking =
            Executors.newSingleThreadScheduledExecutor(new DefaultThreadFactory("host-services", true));

    private final Map<String, List<Forward>> listeners = new HashMap<>(); // by the agent's words
    private final Map<HostEndpoint.Port, Mirrored> mirrored = new LinkedHashMap<>();
    private final Map<HostEndpoint.Port, String> failures = new LinkedHashMap<>();
    private final Set<HostEndpoint.Port> retries = new HashSet<>(); // of the failures, those to try now
    private Set<HostServices.Service> told = Set.of();
    private boolean enabled;
    private boolean used;
    private boolean moving;
    private java.util.concurrent.@Nullable Future<?> ticks;
    private @Nullable DuplexChannel session;
    private boolean connecting;
    private volatile List<String> problems = List.of(); // written by the loop, read by status

    /** What is bound; {@code id} names it in the table. */
    private record Mirrored(Forward forward, long id) {}

    HostNetworking(VsockHost vsock, PortTable ports, IpPlan plan, HostServices services, Consumer<Events.What> events) {
        this.loop = vsock.loop();
        this.vsock = vsock;
        this.ports = ports;
        this.plan = plan;
        this.services = services;
        this.events = events;
    }

    /** As the settings say. */
    void enable(boolean on) {
        onLoop(() -> {
            enabled = on;
            update();
        });
    }

    /** Whether a container with {@code --net=host} runs. */
    void use(boolean some) {
        onLoop(() -> {
            used = some;
            update();
        });
    }

    /** What should be on the host's loopback and isn't, for the user; any thread. */
    List<String> problems() {
        return problems;
    }

    /** Ends the session; the table's ports are its own to close. */
    @Override
    public void close() {
        enable(false);
        looking.shutdown();
    }

    /** Nothing is left to do once the loop has ended. */
    private void onLoop(Runnable task) {
        try {
            loop.execute(task);
        } catch (RejectedExecutionException e) {
            LOG.debug("the vsock device's loop has ended");
        }
    }

    private void update() {
        DuplexChannel open = session;
        if (enabled && used) {
            open();
        } else if (open != null) {
            open.close();
        }
    }

    // ---- the session

    private void open() {
        if (connecting || session != null) {
            return;
        }
        connecting = true;
        vsock.connect(VsockPorts.GUEST_CONTROL).addListener((Future<DuplexChannel> f) -> {
            connecting = false;
            if (f.isSuccess()) {
                begin(f.getNow());
            } else {
                again();
            }
        });
    }

    private void again() {
        if (enabled && used) {
            loop.schedule(this::update, AGAIN_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    private void begin(DuplexChannel channel) {
        session = channel;
        told = Set.of();
        channel.pipeline().addLast(new Lines());
        channel.closeFuture().addListener(closed -> ended(channel));
        String host6 = plan.hasIpv6() ? plan.host6().toString() : "-";
        say(channel, "hostnet " + plan.host() + " " + host6);
        channel.config().setAutoRead(true);
        lookAtHost(channel);
        if (!enabled || !used) {
            channel.close();
        }
    }

    private static void say(DuplexChannel channel, String line) {
        channel.writeAndFlush(ByteBufUtil.writeAscii(channel.alloc(), line + "\n"));
    }

    private void ended(DuplexChannel channel) {
        if (!channel.equals(session)) {
            return;
        }
        session = null;
        java.util.concurrent.Future<?> ticking = ticks;
        ticks = null;
        if (ticking != null) {
            ticking.cancel(false);
        }
        listeners.clear();
        move();
        again();
    }

    /** The agent's lines, one at a time. Confined to the loop. */
    private final class Lines extends SimpleChannelInboundHandler<ByteBuf> {
        private final StringBuilder line = new StringBuilder();

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf bytes) {
            while (bytes.isReadable() && ctx.channel().isActive()) {
                char c = (char) (bytes.readByte() & 0x7F);
                if (c != '\n') {
                    line.append(c);
                } else {
                    onLine(ctx, line.toString());
                    line.setLength(0);
                }
                if (line.length() > MAX_LINE_CHARS) {
                    ctx.close();
                }
            }
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                ctx.close();
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            LOG.debug("host networking: {}", cause.toString());
            ctx.close();
        }
    }

    private void onLine(ChannelHandlerContext ctx, String line) {
        if (line.startsWith("+ ")) {
            if (listeners.size() < MAX_LISTENERS) {
                listeners.put(line.substring(2), forwards(line.substring(2), plan));
                move();
            }
        } else if (line.startsWith("- ")) {
            listeners.remove(line.substring(2));
            move();
        } else if (!line.equals("ok")) {
            LOG.warn("host networking: the guest's agent says: {}", line);
            ctx.close();
        }
    }

    /**
     * Where a listener of the guest is to be on the host: {@code tcp 0.0.0.0 80}, {@code udp ::1 53}, {@code tcp :: 80 dual}.
     * Nowhere if it is on an address of the guest's networks, as with Docker Desktop, or if the words make no sense.
     */
    static List<Forward> forwards(String words, IpPlan plan) {
        String[] w = words.split(" ", -1);
        try {
            IpAddress at = IpAddress.parse(w[1]);
            int port = Integer.parseInt(w[2]);
            boolean any = at.toInetAddress().isAnyLocalAddress();
            boolean udp = w[0].equals("udp");
            if ((!any && !at.isLoopback()) || (!udp && !w[0].equals("tcp"))) {
                return List.of();
            }
            Forward v4 = new Forward(endpoint(udp, LOOPBACK_V4, port), plan.guest(), port);
            if (at.isV4()) {
                return List.of(v4);
            }
            Forward v6 =
                    new Forward(endpoint(udp, LOOPBACK_V6, port), plan.hasIpv6() ? plan.guest6() : plan.guest(), port);
            boolean dual = w.length == 4 && w[3].equals("dual");
            return dual ? List.of(v4, v6) : plan.hasIpv6() ? List.of(v6) : List.of();
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            LOG.debug("host networking: {}: {}", words, e.toString());
            return List.of();
        }
    }

    private static HostEndpoint.Port endpoint(boolean udp, IpAddress at, int port) {
        return udp ? HostEndpoint.udp(at, port) : HostEndpoint.tcp(at, port);
    }

    // ---- the guest's listeners on the host

    /** One change of the table at a time, until it is as it should be. */
    private void move() {
        if (moving) {
            return;
        }
        Map<HostEndpoint.Port, Forward> wanted = new LinkedHashMap<>();
        listeners.values().forEach(l -> l.forEach(f -> wanted.put((HostEndpoint.Port) f.host(), f)));
        if (failures.keySet().retainAll(wanted.keySet())) {
            problems = List.copyOf(failures.values());
        }
        for (Mirrored m : mirrored.values()) {
            if (!m.forward().equals(wanted.get(m.forward().host()))) {
                mirrored.remove(m.forward().host());
                then(ports.release(m.id()), _ -> {});
                return;
            }
        }
        for (Map.Entry<HostEndpoint.Port, Forward> w : wanted.entrySet()) {
            boolean waits = failures.containsKey(w.getKey()) && !retries.contains(w.getKey());
            if (!mirrored.containsKey(w.getKey()) && !waits) {
                retries.remove(w.getKey());
                then(ports.expose(w.getValue(), Owner.HOST_NETWORKING), r -> onBound(w.getKey(), w.getValue(), r));
                return;
            }
        }
    }

    private <T> void then(CompletableFuture<T> change, Consumer<@Nullable T> next) {
        moving = true;
        change.whenComplete((result, failure) -> onLoop(() -> {
            moving = false;
            if (failure == null) {
                next.accept(result);
                move();
            } // else the network has ended
        }));
    }

    private void onBound(HostEndpoint.Port at, Forward forward, @Nullable ExposeResult result) {
        switch (result) {
            case null -> {}
            case ExposeResult.Exposed e -> {
                mirrored.put(at, new Mirrored(forward, e.id()));
                failures.remove(at);
                problems = List.copyOf(failures.values());
            }
            case ExposeResult.Refused r -> {
                String text = "a container's port " + at.port() + " is not on the host's loopback: " + r.message();
                retries.remove(at);
                if (!text.equals(failures.put(at, text))) {
                    LOG.warn("{}", text);
                    events.accept(new Events.Notice(text));
                }
                problems = List.copyOf(failures.values());
                loop.schedule(
                        () -> {
                            retries.add(at);
                            move();
                        },
                        RETRY_SECONDS,
                        TimeUnit.SECONDS);
            }
        }
    }

    // ---- the host's services in the guest

    private void lookAtHost(DuplexChannel channel) {
        if (looking.isShutdown()) {
            channel.close(); // closed while the session was being opened
            return;
        }
        ticks = looking.scheduleWithFixedDelay(
                () -> {
                    Set<HostServices.Service> now = services.read();
                    onLoop(() -> tell(channel, now));
                },
                0,
                LOOK_MILLIS,
                TimeUnit.MILLISECONDS);
    }

    /** What we listen on for the guest is the guest's own. */
    private void tell(DuplexChannel channel, Set<HostServices.Service> read) {
        if (!channel.equals(session)) {
            return;
        }
        Set<HostServices.Service> now = new TreeSet<>(read);
        mirrored.keySet()
                .forEach(m -> now.remove(new HostServices.Service(m.protocol().word(), m.port())));
        now.stream().filter(s -> !told.contains(s)).forEach(s -> say(channel, "host + " + s));
        told.stream().filter(s -> !now.contains(s)).forEach(s -> say(channel, "host - " + s));
        told = now;
    }
}
