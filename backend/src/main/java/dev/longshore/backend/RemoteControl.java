package dev.longshore.backend;

import dev.longshore.config.Settings;
import dev.longshore.control.ControlServer;
import dev.longshore.control.Events;
import dev.longshore.control.MutualTls;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Lets the control API listen on TCP as the settings want it. Thread-safe: changes are made one after the other, by its own thread. */
final class RemoteControl implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RemoteControl.class);
    private static final Settings.ControlListener NOWHERE = new Settings.ControlListener("", "", "", "");

    private final ControlServer server;
    private final Consumer<Events.What> events;
    private final ExecutorService thread =
            Executors.newSingleThreadExecutor(new DefaultThreadFactory("remote-control", true));
    private Settings.ControlListener now = NOWHERE; // of the thread

    RemoteControl(ControlServer server, Consumer<Events.What> events) {
        this.server = server;
        this.events = events;
    }

    /** What holds from now on. */
    void follow(Settings settings) {
        try {
            thread.execute(() -> change(settings.control()));
        } catch (RejectedExecutionException e) {
            // closed: nothing listens any more
        }
    }

    private void change(Settings.ControlListener wanted) {
        if (wanted.equals(now)) {
            return;
        }
        now = wanted;
        try {
            server.serveRemotely(wanted.listen().isEmpty() ? null : listener(wanted));
            LOG.info("the control API on TCP: {}", wanted.listen().isEmpty() ? "nowhere" : wanted.listen());
        } catch (IOException | RuntimeException e) {
            String text = "the control API does not listen on " + wanted.listen() + ": " + reason(e);
            LOG.warn("{}", text);
            events.accept(new Events.Notice(text));
        }
    }

    private static String reason(Throwable e) {
        Throwable cause = e.getCause();
        return e.getMessage() + (cause == null || cause.getMessage() == null ? "" : ": " + cause.getMessage());
    }

    private static MutualTls listener(Settings.ControlListener wanted) throws IOException {
        if (wanted.certificate().isEmpty()
                || wanted.key().isEmpty()
                || wanted.clientCa().isEmpty()) {
            throw new IOException("control.certificate, control.key and control.clientCa are needed for it");
        }
        return new MutualTls(
                Settings.ControlListener.parse(wanted.listen()),
                Path.of(wanted.certificate()),
                Path.of(wanted.key()),
                Path.of(wanted.clientCa()));
    }

    @Override
    public void close() {
        thread.shutdown();
    }
}
