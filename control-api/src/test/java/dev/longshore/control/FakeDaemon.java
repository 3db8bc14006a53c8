package dev.longshore.control;

import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/** Everything the control socket serves, answering what a test puts in. Thread-safe: test threads and the server's. */
final class FakeDaemon implements Daemon, Ports, Events, Flows, Captures, SettingsControl {
    static final Status RUNNING = new Status(
            Status.State.RUNNING,
            "ready",
            "unix:///h/run/docker.sock",
            new Status.DaemonProcess(42, "1.2.3", Instant.ofEpochSecond(1000), "/h", 123_456),
            new Status.Guest("uml", 43, Instant.ofEpochSecond(1001), 1, 1024, true),
            new Status.Engine(true, "26.1.5", "1.45"),
            new Status.Network(
                    "192.168.65.0/24",
                    true,
                    "192.168.65.1",
                    "192.168.65.3",
                    "192.168.65.7",
                    "192.168.65.254",
                    1500,
                    true,
                    17,
                    List.of("a port problem"),
                    "direct (by default)",
                    List.of("a proxy problem")),
            9,
            new Status.Configuration(List.of("a problem"), List.of("a warning"), List.of("cpus")));

    final CompletableFuture<Outcome<String>> started = new CompletableFuture<>();
    final CompletableFuture<Outcome<Port>> exposed = new CompletableFuture<>();
    final List<String> calls = new CopyOnWriteArrayList<>();
    private final List<Event> log = new ArrayList<>();
    private final List<Runnable> wakes = new CopyOnWriteArrayList<>();
    private boolean ended;

    /** One folder with one mount. */
    final FakeFiles files = new FakeFiles(new FilesControl.Shared(
            List.of(new FilesControl.Folder(
                    "/home/u",
                    true,
                    List.of(new FilesControl.Mount("0123abc", "web", true, "/home/u/src", "/src", true)))),
            List.of("/home/u/.local/state/longshore"),
            new FilesControl.Figures(1, 2, 3, 4, 5, 6, 7),
            new FilesControl.Events(true, 1, 2, 3, 4, 5, 6, 7, 8)));

    /** One rule, which denies everything; and what was asked. */
    DnsControl dns() {
        return new DnsControl() {
            @Override
            public CompletionStage<Outcome<Answered>> query(String name, String type) {
                Answered e = new Answered(
                        name + ".",
                        type.isEmpty() ? "A" : type,
                        "NOERROR",
                        List.of("rd", "ra"),
                        Source.ROUTE,
                        "192.0.2.53:53",
                        true,
                        1234,
                        List.of("route corp.example"),
                        List.of(name + ". 60 A 192.0.2.1"));
                return CompletableFuture.completedStage(new Outcome.Done<>(e));
            }

            @Override
            public CompletionStage<Outcome<List<Line>>> log(int most) {
                Line line = new Line(
                        7,
                        java.time.Instant.ofEpochSecond(1, 5),
                        "172.17.0.2",
                        "a.test.",
                        "AAAA",
                        true,
                        "NXDOMAIN",
                        40,
                        Source.CACHE,
                        false,
                        "192.0.2.53:53",
                        12);
                return CompletableFuture.completedStage(new Outcome.Done<>(List.of(line)));
            }

            @Override
            public CompletionStage<Outcome<Integer>> flush() {
                return CompletableFuture.completedStage(new Outcome.Done<>(3));
            }
        };
    }

    ProxyControl proxies() {
        return new ProxyControl() {
            @Override
            public CompletionStage<Outcome<Route>> explain(RouteQuestion question) {
                calls.add(question.toString());
                return CompletableFuture.completedStage(new Outcome.Done<>(new Route(
                        "scope",
                        "source",
                        "rule",
                        "script",
                        "because",
                        List.of(
                                new Way(Kind.PROXY, "http://proxy:3128", ""),
                                new Way(Kind.DIRECT, "", ""),
                                new Way(Kind.BLOCKED, "", "reason")))));
            }

            @Override
            public Outcome<Proxies> inForce() {
                return new Outcome.Done<>(new Proxies(
                        "scope",
                        "source",
                        "summary",
                        "http://one:1",
                        "http://two:2",
                        List.of("*.corp"),
                        true,
                        "script",
                        "state",
                        List.of("problem")));
            }

            @Override
            public Outcome<List<Entry>> log(int most) {
                calls.add("log " + most);
                return new Outcome.Done<>(List.of(new Entry(
                        java.time.Instant.ofEpochSecond(5, 6),
                        7,
                        "172.17.0.2",
                        "web",
                        "connect",
                        "CONNECT",
                        "a.test",
                        443,
                        "connect",
                        "/p",
                        "DIRECT",
                        "192.0.2.3:443",
                        "rule",
                        "Basic",
                        200,
                        8,
                        9,
                        "error")));
            }
        };
    }

    PolicyControl policy() {
        return new PolicyControl() {
            @Override
            public CompletionStage<Outcome<List<Explained>>> explain(Question question) {
                calls.add(question.toString());
                if (question.container().equals("nobody")) {
                    return CompletableFuture.completedStage(
                            new Outcome.Failed<>(Outcome.Reason.NOT_FOUND, "no container nobody"));
                }
                return CompletableFuture.completedStage(new Outcome.Done<>(List.of(new Explained(
                        "tcp the guest -> 192.0.2.1:443",
                        "192.0.2.1",
                        Action.ALLOW,
                        Action.DENY,
                        "all",
                        Mode.DRY_RUN,
                        List.of(new Step("all", Action.DENY, false, true, "")),
                        List.of("example.com")))));
            }

            @Override
            public CompletionStage<Outcome<InForce>> inForce() {
                return CompletableFuture.completedStage(new Outcome.Done<>(new InForce(
                        Mode.DRY_RUN,
                        Action.ALLOW,
                        3,
                        List.of(new Rule("all", Action.DENY, true, "{}", 5, 7)),
                        "{\"rules\":[]}",
                        11,
                        13)));
            }
        };
    }

    @Override
    public Status status() {
        return RUNNING;
    }

    @Override
    public CompletionStage<Outcome<String>> startGuest() {
        return started;
    }

    @Override
    public CompletionStage<Outcome<Outcome.Nothing>> stopGuest() {
        return CompletableFuture.failedStage(new IllegalStateException("a bug at 0x1234"));
    }

    @Override
    public void shutdown() {
        calls.add("shutdown");
    }

    @Override
    public String metrics() {
        return "longshore_up 1\n";
    }

    @Override
    public List<Port> list() {
        return List.of(new Port(
                Ports.Protocol.UDP,
                "::1",
                53,
                "172.17.0.2",
                5353,
                "container",
                7,
                "nothing listens",
                Ports.ProxyProtocol.V2));
    }

    @Override
    public CompletionStage<Outcome<Port>> expose(
            Ports.Protocol protocol,
            String hostAddress,
            int hostPort,
            String guestAddress,
            int guestPort,
            Ports.ProxyProtocol proxy) {
        calls.add("expose " + protocol + " " + hostAddress + " " + hostPort + " " + guestAddress + " " + guestPort
                + (proxy == Ports.ProxyProtocol.NONE ? "" : " " + proxy));
        return exposed;
    }

    @Override
    public CompletionStage<Outcome<Outcome.Nothing>> unexpose(
            Ports.Protocol protocol, String hostAddress, int hostPort) {
        return CompletableFuture.completedStage(new Outcome.Failed<>(Outcome.Reason.NOT_FOUND, "no such port"));
    }

    /** Wakes without the lock, as the daemon does: a watcher has one of its own, and comes here with it. */
    void happens(What what) {
        synchronized (this) {
            log.add(new Event(log.size() + 1L, Instant.EPOCH, what));
        }
        wakes.forEach(Runnable::run);
    }

    void end() {
        synchronized (this) {
            ended = true;
        }
        wakes.forEach(Runnable::run);
    }

    int watchers() {
        return wakes.size();
    }

    @Override
    public synchronized List<Event> after(long sequence, int limit) {
        return log.stream().filter(e -> e.sequence() > sequence).limit(limit).toList();
    }

    @Override
    public Subscription onNew(Runnable wake) {
        wakes.add(wake);
        return () -> wakes.remove(wake);
    }

    @Override
    public synchronized boolean ended() {
        return ended;
    }

    /** What the settings say; null for none. */
    volatile @Nullable View settings;

    final List<Runnable> settingsWakes = new CopyOnWriteArrayList<>();

    @Override
    public Outcome<View> view() {
        View now = settings;
        return now == null
                ? new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "no settings hold")
                : new Outcome.Done<>(now);
    }

    void settingsAre(View view) {
        settings = view;
        settingsWakes.forEach(Runnable::run);
    }

    @Override
    public CompletionStage<Outcome<Changed>> set(String key, String value) {
        calls.add("set " + key + " " + value);
        View now = settings;
        return CompletableFuture.completedStage(
                key.equals("locked") || now == null
                        ? new Outcome.Failed<>(Outcome.Reason.FORBIDDEN, "locked by /admin.json")
                        : new Outcome.Done<>(new Changed(now, "cpus", List.of("dnsInhibition"), List.of("a note"))));
    }

    @Override
    public CompletionStage<Outcome<Changed>> unset(String key) {
        return set(key, "");
    }

    @Override
    public Subscription onChange(Runnable wake) {
        settingsWakes.add(wake);
        return () -> settingsWakes.remove(wake);
    }

    /** What the next looks find; a null ends the guest. */
    volatile @Nullable List<Flow> flows = List.of();

    volatile @Nullable FakeSession session;

    @Override
    public CompletionStage<Outcome<List<Flow>>> look() {
        List<Flow> now = flows;
        return CompletableFuture.completedStage(
                now == null
                        ? new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "the guest does not run")
                        : new Outcome.Done<>(now));
    }

    /** Of this container: 172.17.0.2. */
    static Flow flow(int guestPort, Flows.Container container) {
        return new Flow(
                Flows.Protocol.UDP,
                new End("172.17.0.2", guestPort),
                new End("192.0.2.1", 443),
                null,
                Opener.GUEST,
                "asking",
                1,
                0,
                0,
                OptionalLong.empty(),
                Instant.ofEpochSecond(1000 + guestPort),
                0,
                container,
                false);
    }

    static Flow flow(int guestPort, long bytes) {
        return new Flow(
                Flows.Protocol.TCP,
                new End("192.168.65.3", guestPort),
                new End("192.0.2.1", 443),
                new End("10.0.0.5", 50_000),
                Opener.GUEST,
                "ESTABLISHED",
                bytes,
                2 * bytes,
                1,
                OptionalLong.of(250),
                Instant.ofEpochSecond(1000 + guestPort),
                3,
                null,
                false);
    }

    @Override
    public Outcome<Session> begin(String filter, int snapLength, long count, Runnable wake) {
        if (filter.equals("bad")) {
            return new Outcome.Failed<>(Outcome.Reason.INVALID, "the filter: bad");
        }
        calls.add("capture '" + filter + "' " + snapLength + " " + count);
        FakeSession begun = new FakeSession(wake);
        session = begun;
        return new Outcome.Done<>(begun);
    }

    /** Frames of one byte. Thread-safe. */
    static final class FakeSession implements Session {
        private final Queue<Integer> waiting = new ConcurrentLinkedQueue<>();
        private final Runnable wake;
        volatile boolean ended;

        FakeSession(Runnable wake) {
            this.wake = wake;
        }

        void frame(int content) {
            waiting.add(content);
            wake.run();
        }

        @Override
        public void drain(Captures.Reader reader) {
            for (Integer content = waiting.poll(); content != null; content = waiting.poll()) {
                reader.frame(
                        content, content % 2 == 0, 60, ByteBuffer.allocate(1).put(0, content.byteValue()));
            }
        }

        @Override
        public boolean ended() {
            return ended;
        }

        @Override
        public long dropped() {
            return 5;
        }

        @Override
        public void end() {
            ended = true;
        }
    }
}
