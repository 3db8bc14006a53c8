package dev.longshore.backend;

import dev.longshore.control.Events;
import java.util.Locale;

/** Events as lines on standard output, for {@code up --foreground}. Confined to the log's lock of watchers: synchronized. */
final class ForegroundProgress {
    private final Events events;
    private long shown;

    private ForegroundProgress(Events events) {
        this.events = events;
    }

    static void follow(Events events) {
        ForegroundProgress progress = new ForegroundProgress(events);
        Events.Subscription _ = events.onNew(progress::show);
    }

    private synchronized void show() {
        for (Events.Event event : events.after(shown, Integer.MAX_VALUE)) {
            shown = event.sequence();
            String line = line(event.what());
            if (!line.isEmpty()) {
                System.out.println(line);
            }
        }
    }

    private static String line(Events.What what) {
        return switch (what) {
            case Events.Step s ->
                switch (s.phase()) {
                    case BEGUN, PROGRESS -> "";
                    case DONE ->
                        String.format(
                                Locale.ROOT,
                                "%-40s %6.1f s",
                                s.text(),
                                s.elapsed().toMillis() / 1e3);
                    case FAILED -> s.name() + ": " + s.text();
                };
            case Events.StateChanged s -> s.state().name().toLowerCase(Locale.ROOT) + ": " + s.text();
            case Events.PortChanged p -> (p.exposed() ? "port " : "port released ") + p.text();
            case Events.SettingsChanged c -> "settings: " + c.text().replace("\n", "; ");
            case Events.PolicyDecided p -> "egress policy: " + p.text();
            case Events.Notice n -> "note: " + n.text();
        };
    }
}
