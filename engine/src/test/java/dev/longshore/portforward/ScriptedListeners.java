package dev.longshore.portforward;

import dev.longshore.config.PortBinding;
import io.netty.channel.EventLoop;
import io.netty.channel.unix.Errors;
import io.netty.util.concurrent.Future;
import java.util.HashSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;

/** A real port table whose listeners bind nothing, and the set of those that are open. Thread-safe. */
public final class ScriptedListeners {
    private final Set<String> open = new TreeSet<>();
    private final Set<HostEndpoint> takenByOthers = new HashSet<>();
    private final EventLoop loop;
    private final PortTable table;
    private Runnable onChange = () -> {};

    public ScriptedListeners(EventLoop loop) {
        this.loop = loop;
        table = new PortTable(
                loop,
                BindPolicy.of(PortBinding.DEFAULT_PORT_BINDING),
                10_000,
                (forward, traffic) -> new Listener(forward),
                new Watcher());
    }

    public PortTable table() {
        return table;
    }

    public synchronized void onChange(Runnable hear) {
        onChange = hear;
    }

    /** A process of the host has that port, or has it no more. */
    public synchronized void take(HostEndpoint endpoint, boolean taken) {
        if (taken) {
            takenByOthers.add(endpoint);
        } else {
            takenByOthers.remove(endpoint);
        }
    }

    /** As docker-proxy asks; {@code onDismissed} when it is told that it is gone. */
    public CompletableFuture<ExposeResult> lease(Forward forward, long session, Runnable onDismissed) {
        return table.expose(forward, Owner.container(session), onDismissed);
    }

    /** Waits until exactly these are open; gives what is open in the end. */
    public synchronized Set<String> awaitOpen(Set<String> wanted, long seconds) throws InterruptedException {
        long deadline = System.nanoTime() + seconds * 1_000_000_000L;
        while (!open.equals(wanted)) {
            long left = (deadline - System.nanoTime()) / 1_000_000L;
            if (left <= 0) {
                break;
            }
            wait(left);
        }
        return new TreeSet<>(open);
    }

    private synchronized void change(String text, boolean opened) {
        if (opened ? !open.add(text) : !open.remove(text)) {
            throw new IllegalStateException("twice: " + text);
        }
        notifyAll();
    }

    private synchronized boolean isTaken(HostEndpoint endpoint) {
        return takenByOthers.contains(endpoint);
    }

    private synchronized Runnable hearer() {
        return onChange;
    }

    private final class Listener implements HostListener {
        private final Forward forward;
        private boolean bound;

        Listener(Forward forward) {
            this.forward = forward;
        }

        @Override
        public Future<HostEndpoint> open() {
            if (isTaken(forward.host())) {
                return loop.newFailedFuture(Errors.newIOException("bind", -BindFailure.EADDRINUSE));
            }
            bound = true;
            change(forward.toString(), true);
            return loop.newSucceededFuture(forward.host());
        }

        @Override
        public void close() {
            if (bound) {
                bound = false;
                change(forward.toString(), false);
            }
        }

        @Override
        public String trouble() {
            return "";
        }
    }

    private final class Watcher implements PortWatcher {
        @Override
        public void onExposed(PortSnapshot port) {
            hearer().run();
        }

        @Override
        public void onReleased(PortSnapshot port) {
            hearer().run();
        }

        @Override
        public void onNotMoved(PortSnapshot port) {}
    }
}
