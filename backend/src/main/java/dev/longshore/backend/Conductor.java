package dev.longshore.backend;

import dev.longshore.config.Home;
import dev.longshore.config.Version;
import dev.longshore.control.Captures;
import dev.longshore.control.Daemon;
import dev.longshore.control.DnsControl;
import dev.longshore.control.Events;
import dev.longshore.control.FilesControl;
import dev.longshore.control.Flows;
import dev.longshore.control.Outcome;
import dev.longshore.control.PolicyControl;
import dev.longshore.control.Ports;
import dev.longshore.control.ProxyControl;
import dev.longshore.control.Status;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The daemon's state, and the commands that change it. Thread-safe: commands decide under the lock what happens next, and
 * one lifecycle thread does it, one thing at a time.
 *
 * <p>Invariants: {@code starting} is set exactly in STARTING; a stack exists in STARTING, RUNNING and STOPPING only.
 */
final class Conductor implements Daemon {
    private static final Logger LOG = LoggerFactory.getLogger(Conductor.class);

    private final Home home;
    private final EventLog events;
    private final GuestStack.Factory factory;
    private final Supplier<String> metrics;
    private final Supplier<Status.Configuration> settings;
    private final Instant born = Instant.now();
    private final ExecutorService worker = Executors.newSingleThreadExecutor(new DefaultThreadFactory("lifecycle"));
    private final CountDownLatch ended = new CountDownLatch(1);

    private Status.State state = Status.State.STOPPED;
    private String message = "the guest was not started";
    private @Nullable CompletableFuture<Outcome<String>> starting;
    private @Nullable CompletableFuture<Outcome<Outcome.Nothing>> stopping;
    private @Nullable GuestStack stack;
    private @Nullable Thread startThread;

    /** Of the parts that run; touched by the lifecycle thread only. */
    private @Nullable Lifecycle running;

    private @Nullable String endReason;
    private long startEvent;
    private boolean shuttingDown;

    Conductor(
            Home home,
            EventLog events,
            GuestStack.Factory factory,
            Supplier<String> metrics,
            Supplier<Status.Configuration> settings) {
        this.home = home;
        this.events = events;
        this.factory = factory;
        this.metrics = metrics;
        this.settings = settings;
    }

    @Override
    public synchronized CompletionStage<Outcome<String>> startGuest() {
        if (shuttingDown) {
            return failed(Outcome.Reason.WRONG_STATE, "the daemon is shutting down");
        }
        return switch (state) {
            case RUNNING -> CompletableFuture.completedStage(new Outcome.Done<>(home.dockerHost()));
            case STARTING -> starting == null ? beginStart() : starting;
            case STOPPING -> failed(Outcome.Reason.WRONG_STATE, "the guest is stopping; start it when it has stopped");
            case STOPPED, FAILED -> beginStart();
        };
    }

    private CompletionStage<Outcome<String>> beginStart() {
        CompletableFuture<Outcome<String>> future = new CompletableFuture<>();
        starting = future;
        endReason = null;
        become(Status.State.STARTING, "starting");
        worker.execute(() -> run(future));
        return future;
    }

    /** On the lifecycle thread: the whole start. */
    private void run(CompletableFuture<Outcome<String>> future) {
        Outcome<String> outcome;
        try {
            outcome = startParts();
        } catch (RuntimeException e) {
            LOG.error("the start failed by a bug", e);
            outcome = fail("an error inside the daemon: " + e);
        }
        future.complete(outcome);
    }

    private Outcome<String> startParts() {
        GuestStack made;
        try {
            made = factory.create(this::guestEnded);
        } catch (PartException e) {
            return fail(String.valueOf(e.getMessage()));
        }
        Lifecycle lifecycle = new Lifecycle(made.parts(), this::onStep);
        synchronized (this) {
            if (state != Status.State.STARTING) {
                starting = null;
                return new Outcome.Failed<>(Outcome.Reason.CANCELLED, "stopped before it had started");
            }
            stack = made;
            startThread = Thread.currentThread();
        }
        try {
            lifecycle.start();
        } catch (InterruptedException e) {
            return cancelled();
        } catch (PartException e) {
            return fail(String.valueOf(e.getMessage()));
        }
        synchronized (this) {
            startThread = null;
            boolean late = Thread.interrupted() || state != Status.State.STARTING || endReason != null;
            if (!late) {
                starting = null;
                running = lifecycle;
                become(Status.State.RUNNING, "the Engine answers at " + home.dockerHost());
                return new Outcome.Done<>(home.dockerHost());
            }
        }
        lifecycle.stop();
        return cancelled();
    }

    /** A start that was interrupted: because the guest ended, or because a stop was asked for. */
    private synchronized Outcome<String> cancelled() {
        String reason = endReason;
        if (reason != null) {
            return fail(reason);
        }
        startThread = null;
        starting = null;
        stack = null;
        return new Outcome.Failed<>(Outcome.Reason.CANCELLED, "stopped before it had started");
    }

    private synchronized Outcome<String> fail(String reason) {
        startThread = null;
        starting = null;
        stack = null;
        if (state != Status.State.STARTING) {
            return new Outcome.Failed<>(Outcome.Reason.CANCELLED, reason);
        }
        become(Status.State.FAILED, reason);
        return new Outcome.Failed<>(Outcome.Reason.FAILED, reason);
    }

    @Override
    public synchronized CompletionStage<Outcome<Outcome.Nothing>> stopGuest() {
        return switch (state) {
            case STOPPED -> CompletableFuture.completedStage(new Outcome.Done<>(Outcome.Nothing.NOTHING));
            case FAILED -> {
                become(Status.State.STOPPED, "stopped");
                yield CompletableFuture.completedStage(new Outcome.Done<>(Outcome.Nothing.NOTHING));
            }
            case STOPPING -> stopping == null ? beginStop("stopped") : stopping;
            case STARTING, RUNNING -> beginStop("stopped");
        };
    }

    private CompletionStage<Outcome<Outcome.Nothing>> beginStop(String afterwards) {
        CompletableFuture<Outcome<Outcome.Nothing>> future = new CompletableFuture<>();
        stopping = future;
        become(Status.State.STOPPING, "stopping the guest");
        if (startThread != null) {
            startThread.interrupt();
        }
        worker.execute(() -> {
            stopParts();
            synchronized (this) {
                stopping = null;
                stack = null;
                become(Status.State.STOPPED, afterwards);
            }
            future.complete(new Outcome.Done<>(Outcome.Nothing.NOTHING));
        });
        return future;
    }

    private void stopParts() {
        boolean interruptedTooLate = Thread.interrupted();
        if (interruptedTooLate) {
            LOG.debug("an interrupt came after the start had ended");
        }
        Lifecycle lifecycle = running;
        running = null;
        if (lifecycle != null) {
            lifecycle.stop();
        }
    }

    /** The guest, or something it needs, ended by itself; from any thread. */
    private synchronized void guestEnded(String reason) {
        LOG.warn("the guest ended: {}", reason);
        if (state == Status.State.STARTING && startThread != null) {
            endReason = reason;
            startThread.interrupt();
        } else if (state == Status.State.RUNNING) {
            become(Status.State.STOPPING, reason);
            worker.execute(() -> {
                stopParts();
                synchronized (this) {
                    stack = null;
                    become(Status.State.FAILED, reason);
                }
            });
        }
    }

    @Override
    public void shutdown() {
        synchronized (this) {
            if (shuttingDown) {
                return;
            }
            shuttingDown = true;
        }
        stopGuest().whenComplete((done, error) -> ended.countDown());
    }

    /** Waits until {@link #shutdown} has done its work. */
    void awaitEnd() throws InterruptedException {
        ended.await();
    }

    @Override
    public Status status() {
        return status(settings.get());
    }

    private synchronized Status status(Status.Configuration said) {
        GuestStack now = stack;
        return new Status(
                state,
                message,
                home.dockerHost(),
                new Status.DaemonProcess(
                        ProcessHandle.current().pid(),
                        Version.current(),
                        born,
                        home.state().toString(),
                        Resident.bytes()),
                now == null ? new Status.Guest("", 0, null, 0, 0, false) : now.guest(),
                now == null ? new Status.Engine(false, "", "") : now.engine(),
                now == null
                        ? new Status.Network("", false, "", "", "", "", 0, false, 0, List.of(), "", List.of())
                        : now.network(),
                startEvent,
                said);
    }

    @Override
    public String metrics() {
        return metrics.get();
    }

    /** The published ports of whatever runs. */
    Ports ports() {
        return new Ports() {
            @Override
            public List<Port> list() {
                Ports now = current();
                return now == null ? List.of() : now.list();
            }

            @Override
            public CompletionStage<Outcome<Port>> expose(
                    Protocol protocol,
                    String hostAddress,
                    int hostPort,
                    String guestAddress,
                    int guestPort,
                    ProxyProtocol proxy) {
                return ifRunning(p -> p.expose(protocol, hostAddress, hostPort, guestAddress, guestPort, proxy));
            }

            @Override
            public CompletionStage<Outcome<Outcome.Nothing>> unexpose(
                    Protocol protocol, String hostAddress, int hostPort) {
                return ifRunning(p -> p.unexpose(protocol, hostAddress, hostPort));
            }
        };
    }

    /** The flows of whatever network there is. */
    Flows flows() {
        return () -> {
            NetworkView now = view();
            return now == null ? failed(Outcome.Reason.WRONG_STATE, "the guest does not run") : now.look();
        };
    }

    /** The frames of whatever network there is. */
    Captures captures() {
        return (filter, snapLength, count, wake) -> {
            NetworkView now = view();
            return now == null
                    ? new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "the guest does not run")
                    : now.begin(filter, snapLength, count, wake);
        };
    }

    /** The egress policy of whatever network there is. */
    PolicyControl policy() {
        return new PolicyControl() {
            @Override
            public CompletionStage<Outcome<List<Explained>>> explain(Question question) {
                PolicyView now = policyView();
                return now == null
                        ? failed(Outcome.Reason.WRONG_STATE, "the guest does not run")
                        : now.explain(question);
            }

            @Override
            public CompletionStage<Outcome<InForce>> inForce() {
                PolicyView now = policyView();
                return now == null ? failed(Outcome.Reason.WRONG_STATE, "the guest does not run") : now.inForce();
            }
        };
    }

    /** The name server of whatever network there is. */
    DnsControl dns() {
        return new DnsControl() {
            @Override
            public CompletionStage<Outcome<Answered>> query(String name, String type) {
                DnsView now = dnsView();
                return now == null
                        ? failed(Outcome.Reason.WRONG_STATE, "the guest does not run")
                        : now.query(name, type);
            }

            @Override
            public CompletionStage<Outcome<List<Line>>> log(int most) {
                DnsView now = dnsView();
                return now == null ? failed(Outcome.Reason.WRONG_STATE, "the guest does not run") : now.log(most);
            }

            @Override
            public CompletionStage<Outcome<Integer>> flush() {
                DnsView now = dnsView();
                return now == null ? failed(Outcome.Reason.WRONG_STATE, "the guest does not run") : now.flush();
            }
        };
    }

    /** The ways through proxies of whatever network there is. */
    ProxyControl proxies() {
        return new ProxyControl() {
            @Override
            public CompletionStage<Outcome<Route>> explain(RouteQuestion question) {
                ProxyView now = proxyView();
                return now == null
                        ? failed(Outcome.Reason.WRONG_STATE, "the guest does not run")
                        : now.explain(question);
            }

            @Override
            public Outcome<Proxies> inForce() {
                ProxyView now = proxyView();
                return now == null
                        ? new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "the guest does not run")
                        : now.inForce();
            }

            @Override
            public Outcome<List<Entry>> log(int most) {
                ProxyView now = proxyView();
                return now == null
                        ? new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "the guest does not run")
                        : now.log(most);
            }
        };
    }

    /** The file server of whatever guest there is. */
    FilesControl files() {
        return new FilesControl() {
            @Override
            public CompletionStage<Outcome<Shared>> shared() {
                FilesView now = filesView();
                return now == null ? failed(Outcome.Reason.WRONG_STATE, "the guest does not run") : now.shared();
            }

            @Override
            public Outcome<Watch> watch(String under, Runnable wake) {
                FilesView now = filesView();
                return now == null
                        ? new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "the guest does not run")
                        : now.watch(under, wake);
            }
        };
    }

    private synchronized @Nullable FilesView filesView() {
        return stack == null ? null : stack.files();
    }

    private synchronized @Nullable DnsView dnsView() {
        return stack == null ? null : stack.dns();
    }

    private synchronized @Nullable ProxyView proxyView() {
        return stack == null ? null : stack.proxies();
    }

    private synchronized @Nullable PolicyView policyView() {
        return stack == null ? null : stack.policy();
    }

    private synchronized @Nullable NetworkView view() {
        return stack == null ? null : stack.view();
    }

    private <T> CompletionStage<Outcome<T>> ifRunning(Function<Ports, CompletionStage<Outcome<T>>> command) {
        Ports now = current();
        return now == null ? failed(Outcome.Reason.WRONG_STATE, "the guest does not run") : command.apply(now);
    }

    private synchronized @Nullable Ports current() {
        return state == Status.State.RUNNING && stack != null ? stack.ports() : null;
    }

    private void onStep(Events.Step step) {
        synchronized (this) {
            if (state == Status.State.STARTING) {
                message = step.text();
            }
        }
        events.add(step);
    }

    private void become(Status.State next, String text) {
        LOG.info("{} -> {}: {}", state, next, text);
        state = next;
        message = text;
        long sequence = events.add(new Events.StateChanged(next, text));
        if (next == Status.State.STARTING) {
            startEvent = sequence;
        }
    }

    private static <T> CompletionStage<Outcome<T>> failed(Outcome.Reason reason, String text) {
        return CompletableFuture.completedStage(new Outcome.Failed<>(reason, text));
    }
}
