package dev.longshore.engine.ports;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.engine.EngineFacts;
import dev.longshore.engine.EngineState;
import dev.longshore.engine.ScriptedEngine;
import dev.longshore.engine.client.EngineClient;
import dev.longshore.engine.mounts.ContainerMounts;
import dev.longshore.engine.names.ContainerNames;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.ExposeResult;
import dev.longshore.portforward.Forward;
import dev.longshore.portforward.HostEndpoint;
import dev.longshore.portforward.ScriptedListeners;
import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A scripted Engine, the real port table, listeners that bind nothing: whatever happens, the right ones are open in the end. */
@Timeout(120)
class PortReconcilerTest {
    private static final IpAddress GUEST = IpAddress.parse("192.168.65.3");
    private static final IpAddress ANY = IpAddress.parse("0.0.0.0");
    private static final EngineState READY = new EngineState.Ready(new EngineFacts("", "", "", "", "", ""));
    private static final Patience SHORT = new Patience(
            Duration.ofMillis(30),
            Duration.ofMillis(60),
            Duration.ofMillis(120),
            Duration.ofMillis(30),
            Duration.ofMillis(60));

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(2, HalfCloseEpoll.newFactory());
    private final EventLoop engineLoop = group.next();
    private final ScriptedListeners listeners = new ScriptedListeners(group.next());
    private final BlockingQueue<String> notices = new LinkedBlockingQueue<>();
    private final BlockingQueue<Boolean> hostNetwork = new LinkedBlockingQueue<>();

    @TempDir
    Path directory;

    private @Nullable Model model;

    @BeforeEach
    void start() throws IOException {
        model = new Model();
    }

    @AfterEach
    void stop() throws IOException {
        model().close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private Model model() {
        Model made = model;
        assertThat(made).isNotNull();
        return java.util.Objects.requireNonNull(made);
    }

    /** A container of the model. Guarded by the model. */
    private static final class Box {
        final String id;
        final int[] hostPorts;
        boolean running;
        boolean restarts;
        boolean host;

        @Nullable
        String address;

        final Map<Integer, Long> leases = new TreeMap<>(); // by host port: the id in the table

        Box(String id, int... hostPorts) {
            this.id = id;
            this.hostPorts = hostPorts;
        }
    }

    /** The Engine and its docker-proxies. Its methods are the test thread's; what the scripted Engine asks is guarded. */
    private final class Model implements AutoCloseable {
        private final Map<String, Box> boxes = new TreeMap<>();
        private final ScriptedEngine engine;
        private final ContainerNames names;
        private final PortReconciler reconciler;
        private String services = "";
        private String gateways = "";
        private Runnable behindTheList = () -> {};
        private int lastAddress = 1;
        private long lastSession;
        private int lastId;

        Model() throws IOException {
            engine = new ScriptedEngine(engineLoop, directory.resolve("engine.sock"), this::answer);
            names = new ContainerNames(engine.dialer());
            reconciler = new PortReconciler(
                    engine.dialer(),
                    listeners.table(),
                    names,
                    new ContainerMounts(new EngineClient(engine.dialer())::get, _ -> {}),
                    GUEST,
                    notices::add,
                    hostNetwork::add,
                    SHORT);
            listeners.onChange(reconciler::onPortsChanged);
            reconciler.onEngine(READY);
        }

        private synchronized String answer(String path) {
            if (path.equals("/containers/json")) {
                String list = list();
                behindTheList.run();
                behindTheList = () -> {};
                return list;
            }
            return of(path);
        }

        private String list() {
            return boxes.values().stream()
                    .filter(b -> b.running)
                    .map(b -> "{\"Id\":\"" + b.id + "\"}")
                    .collect(Collectors.joining(",", "[", "]"));
        }

        private String of(String path) {
            if (path.equals("/info")) {
                return "{\"Swarm\":{\"LocalNodeState\":\"" + (services.isEmpty() ? "inactive" : "active")
                        + "\",\"ControlAvailable\":" + !services.isEmpty() + "}}";
            }
            if (path.equals("/services")) {
                return services;
            }
            if (path.equals("/networks/docker_gwbridge")) {
                return gateways;
            }
            Box box = boxes.get(path.replace("/containers/", "").replace("/json", ""));
            return box == null ? "" : json(box);
        }

        private String json(Box box) {
            String address = box.address;
            String ports = address == null
                    ? ""
                    : Arrays.stream(box.hostPorts)
                            .mapToObj(p ->
                                    "\"" + (p - 1000) + "/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"" + p + "\"}]")
                            .collect(Collectors.joining(","));
            String network = address == null ? "" : "\"bridge\":{\"Gateway\":\"x\",\"IPAddress\":\"" + address + "\"}";
            return "{\"Id\":\"" + box.id + "\",\"Name\":\"/" + box.id + "\",\"State\":{\"Running\":" + box.running
                    + "},\"HostConfig\":{\"NetworkMode\":\"" + (box.host ? "host" : "bridge")
                    + "\"},\"NetworkSettings\":{\"Ports\":{" + ports + "},\"Networks\":{" + network + "}}}";
        }

        private Forward forward(Box box, int hostPort) {
            return new Forward(
                    HostEndpoint.tcp(ANY, hostPort),
                    IpAddress.parse(java.util.Objects.requireNonNull(box.address)),
                    hostPort - 1000);
        }

        synchronized Set<String> expected() {
            Set<String> all = new TreeSet<>();
            for (Box box : boxes.values()) {
                if (box.running && box.address != null) {
                    Arrays.stream(box.hostPorts)
                            .forEach(p -> all.add(forward(box, p).toString()));
                }
            }
            return all;
        }

        synchronized Map<IpAddress, String> owners() {
            Map<IpAddress, String> all = new HashMap<>();
            for (Box box : boxes.values()) {
                if (box.running && box.address != null && !box.host) {
                    all.put(IpAddress.parse(box.address), box.id);
                }
            }
            return all;
        }

        private synchronized String freshAddress() {
            lastAddress++;
            return "172.17." + lastAddress / 250 + "." + (1 + lastAddress % 250);
        }

        /** A docker-proxy for each port; false, and none, if one of them is refused. */
        private boolean startProxies(Box box) throws Exception {
            for (int port : box.hostPorts) {
                ExposeResult result = listeners
                        .lease(forward(box, port), ++lastSession, () -> forget(box, port))
                        .get(20, TimeUnit.SECONDS);
                if (result instanceof ExposeResult.Exposed e) {
                    synchronized (this) {
                        box.leases.put(port, e.id());
                    }
                } else {
                    stopProxies(box);
                    return false;
                }
            }
            return true;
        }

        private synchronized void forget(Box box, int port) {
            box.leases.remove(port);
        }

        private void stopProxies(Box box) throws Exception {
            List<Long> ids;
            synchronized (this) {
                ids = List.copyOf(box.leases.values());
                box.leases.clear();
            }
            for (long id : ids) {
                listeners.table().release(id).get(20, TimeUnit.SECONDS);
            }
        }

        Box create(int... ports) {
            Box box = new Box("c" + ++lastId, ports);
            synchronized (this) {
                boxes.put(box.id, box);
            }
            return box;
        }

        /** The Engine's own books: each port is a container's at most. */
        private synchronized boolean isTaken(Box box) {
            return boxes.values().stream()
                    .filter(b -> b != box && b.running && b.address != null)
                    .flatMapToInt(b -> Arrays.stream(b.hostPorts))
                    .anyMatch(p -> Arrays.stream(box.hostPorts).anyMatch(q -> q == p));
        }

        /** As the Engine does it: the ports first, then the process, then the event. */
        boolean start(Box box) throws Exception {
            box.address = freshAddress();
            if (isTaken(box) || !startProxies(box)) {
                return false;
            }
            synchronized (this) {
                box.running = true;
            }
            engine.event("container", "start", box.id, "");
            return true;
        }

        void die(Box box, boolean leak) throws Exception {
            synchronized (this) {
                box.running = false;
            }
            if (leak) {
                synchronized (this) {
                    box.leases.clear();
                }
            } else {
                stopProxies(box);
            }
            engine.event("container", "die", box.id, "");
        }

        void disconnect(Box box) throws Exception {
            synchronized (this) {
                box.address = null;
            }
            stopProxies(box);
            engine.event("network", "disconnect", "n1", "\"container\":\"" + box.id + "\"");
        }

        void connect(Box box, boolean withProxies) throws Exception {
            if (isTaken(box)) {
                return; // the Engine says so, and connects nothing
            }
            synchronized (this) {
                box.address = freshAddress();
            }
            if (withProxies) {
                startProxies(box);
            }
            engine.event("network", "connect", "n1", "\"container\":\"" + box.id + "\"");
        }

        /** All proxies die with the Engine, containers unless it restores them live. */
        void crash(boolean live) throws Exception {
            engine.crash();
            for (Box box : List.copyOf(boxes.values())) {
                stopProxies(box);
                synchronized (this) {
                    box.running &= live;
                }
            }
            for (Box box : List.copyOf(boxes.values())) {
                if (box.restarts && !box.running && !isTaken(box)) {
                    box.address = freshAddress();
                    synchronized (this) {
                        box.running = true;
                    }
                }
                if (box.running && box.address != null) {
                    startProxies(box);
                }
            }
            engine.comeBack();
        }

        @Override
        public void close() throws IOException {
            reconciler.close();
            engine.close();
        }
    }

    private void expectRightListeners(String when) throws Exception {
        Set<String> expected = model().expected();
        assertThat(listeners.awaitOpen(expected, 20)).as(when).isEqualTo(expected);
        for (Map.Entry<IpAddress, String> owner : model().owners().entrySet()) {
            assertThat(model().names.ask(owner.getKey(), engineLoop).get(20, TimeUnit.SECONDS))
                    .as(when + ": whose is " + owner.getKey())
                    .hasValueSatisfying(c -> assertThat(c.name()).isEqualTo(owner.getValue()));
        }
    }

    @Test
    void swarmsTask_isKnownByItsAddressOnTheGatewayBridge() throws Exception {
        Box box = model().create();
        model().start(box);
        synchronized (model()) {
            model().services = "[]";
            model().gateways = "{\"Containers\":{\"" + box.id + "\":{\"IPv4Address\":\"172.21.0.3/16\"},"
                    + "\"ingress-sbox\":{\"IPv4Address\":\"172.21.0.2/16\"}}}";
        }
        model().engine.event("node", "create", "n1", "");

        assertThat(model().names.ask(IpAddress.parse("172.21.0.3"), engineLoop).get(20, TimeUnit.SECONDS))
                .hasValueSatisfying(c -> assertThat(c.name()).isEqualTo(box.id));
        assertThat(model().names.of(IpAddress.parse("172.21.0.2"))).isNull();
    }

    @Test
    void proxyThatDies_isReplaced_andAContainersEndReleases() throws Exception {
        Box box = model().create(8080);
        model().start(box);
        expectRightListeners("started");

        model().stopProxies(box);
        expectRightListeners("without its proxy");

        model().die(box, false);
        expectRightListeners("dead");
        assertThat(listeners.awaitOpen(Set.of(), 20)).isEmpty();
    }

    /** Its event comes before the answer to a question that was asked before. */
    @Test
    void containerThatStartsWhileTheListIsMade_isSeen() throws Exception {
        Box box = model().create(8080);
        model().start(box);
        expectRightListeners("started");
        model().crash(false);
        CountDownLatch told = new CountDownLatch(1);
        synchronized (model()) {
            model().behindTheList = () -> {
                box.address = model().freshAddress();
                box.running = true;
                model().engine.event("container", "start", box.id, "");
                told.countDown();
            };
        }

        assertThat(told.await(20, TimeUnit.SECONDS)).isTrue();
        expectRightListeners("without a proxy");
    }

    @Test
    void proxyThatIsLeftBehind_isDismissed() throws Exception {
        Box box = model().create(8080);
        model().start(box);
        model().die(box, true);

        expectRightListeners("dead");
    }

    @Test
    void portsOfASwarmService_areBound_andGoWithIt() throws Exception {
        synchronized (model()) {
            model().services = "[{\"Spec\":{\"Name\":\"s\"},\"Endpoint\":{\"Ports\":[{\"Protocol\":\"tcp\","
                    + "\"PublishedPort\":8080,\"PublishMode\":\"ingress\"}]}}]";
        }
        model().engine.event("service", "create", "s1", "");
        Set<String> bound = Set.of("tcp 0.0.0.0:8080 -> 192.168.65.3:8080");
        assertThat(listeners.awaitOpen(bound, 20)).isEqualTo(bound);

        synchronized (model()) {
            model().services = "[]";
        }
        model().engine.event("service", "remove", "s1", "");
        assertThat(listeners.awaitOpen(Set.of(), 20)).isEmpty();
    }

    @Test
    void swarmThatIsLeft_takesItsPortsAlong_thoughNoEventSaysSo() throws Exception {
        synchronized (model()) {
            model().services = "[{\"Spec\":{\"Name\":\"s\"},\"Endpoint\":{\"Ports\":[{\"Protocol\":\"tcp\","
                    + "\"PublishedPort\":8080,\"PublishMode\":\"ingress\"}]}}]";
        }
        model().engine.event("service", "create", "s1", "");
        Set<String> bound = Set.of("tcp 0.0.0.0:8080 -> 192.168.65.3:8080");
        assertThat(listeners.awaitOpen(bound, 20)).isEqualTo(bound);

        synchronized (model()) {
            model().services = "";
        }
        model().engine.event("network", "destroy", "n1", "\"name\":\"ingress\"");
        assertThat(listeners.awaitOpen(Set.of(), 20)).isEmpty();
    }

    @Test
    void portThatTheHostHasTaken_isTold_andBoundWhenItIsFree() throws Exception {
        Box box = model().create(8080);
        model().start(box);
        listeners.take(HostEndpoint.tcp(ANY, 8080), true);
        model().stopProxies(box);

        assertThat(notices.poll(20, TimeUnit.SECONDS))
                .isEqualTo("c1: ports are not available: exposing port TCP 0.0.0.0:8080 -> 127.0.0.1:0:"
                        + " listen tcp 0.0.0.0:8080: bind: address already in use");
        assertThat(model().reconciler.problems()).hasSize(1);
        listeners.take(HostEndpoint.tcp(ANY, 8080), false);
        expectRightListeners("free again");
    }

    @Test
    void hostNetwork_isToldWhenTheFirstComesAndTheLastGoes() throws Exception {
        Box box = model().create();
        box.host = true;
        model().start(box);
        assertThat(hostNetwork.poll(20, TimeUnit.SECONDS)).isTrue();
        model().die(box, false);
        assertThat(hostNetwork.poll(20, TimeUnit.SECONDS)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6})
    void whateverHappens_theRightListenersAreOpenInTheEnd(long seed) throws Exception {
        Random random = new Random(seed);
        List<Box> all = new ArrayList<>();
        List<String> done = new ArrayList<>();
        for (int round = 0; round < 12; round++) {
            for (int i = random.nextInt(8); i >= 0; i--) {
                done.add(step(random, all));
            }
            expectRightListeners("seed " + seed + ": " + done);
        }
        for (Box box : all) {
            if (box.running) {
                model().die(box, false);
            }
        }
        assertThat(listeners.awaitOpen(Set.of(), 20)).as("seed " + seed).isEmpty();
    }

    private String step(Random random, List<Box> all) throws Exception {
        if (all.isEmpty() || random.nextInt(4) == 0) {
            int first = 8000 + 2 * random.nextInt(20); // also one that another container has, or a proxy left behind
            Box box = random.nextBoolean() ? model().create(first) : model().create(first, first + 1);
            box.restarts = random.nextBoolean();
            boolean started = model().start(box);
            all.add(box);
            return (started ? "run " : "not run ") + box.id + Arrays.toString(box.hostPorts);
        }
        Box box = all.get(random.nextInt(all.size()));
        switch (random.nextInt(9)) {
            case 0 -> {
                if (box.running) {
                    boolean leak = random.nextInt(3) == 0;
                    model().die(box, leak);
                    return (leak ? "die and leak " : "die ") + box.id;
                }
                return (model().start(box) ? "start " : "not start ") + box.id;
            }
            case 1 -> {
                if (box.running) {
                    model().die(box, false);
                    return (model().start(box) ? "restart " : "failed restart ") + box.id;
                }
            }
            case 2 -> {
                model().engine.event("container", random.nextBoolean() ? "pause" : "unpause", box.id, "");
                return "pause " + box.id;
            }
            case 3, 4 -> {
                if (box.running && box.address != null) {
                    model().disconnect(box);
                    return "disconnect " + box.id;
                } else if (box.running) {
                    boolean proxies = random.nextBoolean();
                    model().connect(box, proxies);
                    return "connect " + box.id + " " + proxies;
                }
            }
            case 5, 6 -> {
                if (box.running) {
                    model().stopProxies(box);
                    return "kill proxies of " + box.id;
                }
            }
            case 7 -> {
                boolean live = random.nextBoolean();
                model().crash(live);
                return live ? "restore live" : "crash";
            }
            default -> {
                boolean destroyed = !box.running;
                if (destroyed) {
                    synchronized (model()) {
                        model().boxes.remove(box.id);
                    }
                    all.remove(box);
                    model().engine.event("container", "destroy", box.id, "");
                    return "destroy " + box.id;
                }
            }
        }
        return "nothing";
    }
}
