package dev.longshore.control;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;

/** Everything the control socket serves, answering what a test puts in. Thread-safe: test threads and the server's. */
final class FakeDaemon implements Daemon, Ports, Events {
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
                    true),
            9);

    final CompletableFuture<Outcome<String>> started = new CompletableFuture<>();
    final CompletableFuture<Outcome<Port>> exposed = new CompletableFuture<>();
    final List<String> calls = new CopyOnWriteArrayList<>();
    private final List<Event> log = new ArrayList<>();
    private final List<Runnable> wakes = new CopyOnWriteArrayList<>();
    private boolean ended;

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
        return List.of(new Port(Protocol.UDP, "::1", 53, "172.17.0.2", 5353, "container", 7));
    }

    @Override
    public CompletionStage<Outcome<Port>> expose(
            Protocol protocol, String hostAddress, int hostPort, String guestAddress, int guestPort) {
        calls.add("expose " + protocol + " " + hostAddress + " " + hostPort + " " + guestAddress + " " + guestPort);
        return exposed;
    }

    @Override
    public CompletionStage<Outcome<Outcome.Nothing>> unexpose(Protocol protocol, String hostAddress, int hostPort) {
        return CompletableFuture.completedStage(new Outcome.Failed<>(Outcome.Reason.NOT_FOUND, "no such port"));
    }

    synchronized void happens(What what) {
        log.add(new Event(log.size() + 1L, Instant.EPOCH, what));
        wakes.forEach(Runnable::run);
    }

    synchronized void end() {
        ended = true;
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
}
