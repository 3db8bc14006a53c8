package dev.longshore.backend;

import dev.longshore.config.Effect;
import dev.longshore.config.EffectiveSettings;
import dev.longshore.config.Problem;
import dev.longshore.config.Setting;
import dev.longshore.config.Settings;
import dev.longshore.config.SettingsResult;
import dev.longshore.config.SettingsStore;
import dev.longshore.config.SettingsWatch;
import dev.longshore.control.Events;
import dev.longshore.control.Outcome;
import dev.longshore.control.SettingsControl;
import dev.longshore.control.Status;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The settings that hold while the daemon runs. They follow the files: a change by an editor, by the control socket or by an
 * administrator is read, told, and handed to those who can act on it at once. Files that can't be used change nothing but what
 * is said of them.
 *
 * <p>Thread-safe: reading and telling are synchronized, so that everybody hears of changes in their order. Who is told may take
 * locks of its own; so those who ask take none here, they read the volatile {@link #state}. Edits, which wait for the disk, are made
 * by a thread of their own.
 */
final class LiveSettings implements SettingsControl, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LiveSettings.class);

    private final SettingsStore store;
    private final Consumer<Events.What> events;
    private final List<Consumer<Settings>> obeying = new CopyOnWriteArrayList<>();
    private final List<Runnable> wakes = new CopyOnWriteArrayList<>();
    private final ExecutorService edits =
            Executors.newSingleThreadExecutor(new DefaultThreadFactory("settings-edit", true));
    private volatile State state = new State(null, null, List.of(), List.of()); // written under the lock
    private @Nullable SettingsWatch watch;

    /**
     * All there is to say.
     *
     * @param effective what holds; null before the first usable files
     * @param guests what the guest that runs was started with; null if none runs
     */
    private record State(
            @Nullable EffectiveSettings effective,
            @Nullable EffectiveSettings guests,
            List<String> problems,
            List<String> warnings) {
        List<String> pending() {
            return effective == null || guests == null
                    ? List.of()
                    : effective.changesFrom(guests).stream()
                            .filter(s -> s.effect() == Effect.GUEST_RESTART)
                            .map(Setting::key)
                            .toList();
        }

        State withGuests(@Nullable EffectiveSettings started) {
            return new State(effective, started, problems, warnings);
        }
    }

    LiveSettings(SettingsStore store, Consumer<Events.What> events) {
        this.store = store;
        this.events = events;
    }

    /** From now on the files are watched. Without a watch, which the system may have no more of, a start reads them anew. */
    synchronized void follow() {
        try {
            watch = new SettingsWatch(
                    List.of(store.files().user(), store.files().admin()), this::onFileChanged);
        } catch (IOException e) {
            note("changes of the settings files are seen at the next start only: " + e.getMessage());
        }
    }

    private void onFileChanged() {
        try {
            reload();
        } catch (RuntimeException e) {
            LOG.error("the settings could not be read by a bug", e);
        }
    }

    /** Reads the files. */
    private synchronized void reload() {
        switch (store.read()) {
            case SettingsResult.Usable u -> adopt(u.effective());
            case SettingsResult.Refused r -> refuse(r.problems());
        }
    }

    private void adopt(EffectiveSettings read) {
        State before = state;
        List<String> warnings = read.warnings().stream().map(Problem::toString).toList();
        state = new State(read, before.guests, List.of(), warnings);
        if (!before.problems.isEmpty()) {
            note("the settings files can be used again");
        }
        Set<String> known = new HashSet<>(before.warnings);
        warnings.stream().filter(w -> !known.contains(w)).forEach(this::note);
        if (before.effective != null) {
            become(read, before.effective);
        }
        wakes.forEach(Runnable::run);
    }

    /** A lock can change without a value: what is locked is obeyed more strictly. */
    private void become(EffectiveSettings read, EffectiveSettings before) {
        List<Setting<?>> changed = read.changesFrom(before);
        if (!changed.isEmpty()) {
            tellChanges(read, changed);
        } else if (!read.settings().equals(before.settings())) {
            obeying.forEach(o -> o.accept(read.settings()));
        }
    }

    private void tellChanges(EffectiveSettings read, List<Setting<?>> changed) {
        List<String> texts = new ArrayList<>();
        for (Setting<?> s : changed) {
            texts.add(s.key() + " is " + read.entry(s).shownJson() + " now: " + s.whenItCounts());
        }
        LOG.info("settings: {}", String.join("; ", texts));
        events.accept(
                new Events.SettingsChanged(changed.stream().map(Setting::key).toList(), String.join("\n", texts)));
        if (changed.stream().anyMatch(s -> s.effect() == Effect.LIVE)) {
            obeying.forEach(o -> o.accept(read.settings()));
        }
    }

    /** What the user had said before stays; whoever breaks his own file does not keep an administrator's locks out. */
    private void refuse(List<Problem> found) {
        List<String> now = found.stream().map(Problem::toString).toList();
        State before = state;
        EffectiveSettings held = before.effective;
        if (!now.equals(before.problems)) {
            state = new State(held, before.guests, now, before.warnings);
            if (held != null) {
                note("the settings files can't be used; the values from before hold: " + String.join("; ", now));
            }
        }
        if (held != null && store.files().readAround(held) instanceof SettingsResult.Usable admins) {
            EffectiveSettings read = admins.effective();
            state = new State(read, before.guests, now, before.warnings);
            if (!read.settings().equals(held.settings())) {
                note("what the administrator has set holds all the same");
            }
            become(read, held);
        }
        wakes.forEach(Runnable::run);
    }

    /** For the log and for whoever watches. */
    private void note(String text) {
        LOG.warn("{}", text);
        events.accept(new Events.Notice(text));
    }

    /**
     * What a guest is to be started with, read anew.
     *
     * @throws PartException with all that is wrong with the files
     */
    synchronized EffectiveSettings forStart() throws PartException {
        reload();
        State now = state;
        if (now.effective == null || !now.problems.isEmpty()) {
            throw new PartException("the settings are not usable:\n"
                    + now.problems.stream().collect(Collectors.joining("\n  ", "  ", "")));
        }
        return now.effective;
    }

    /** A guest was started with these, until {@link #guestEnded}. */
    synchronized void guestHas(EffectiveSettings started) {
        state = state.withGuests(started);
    }

    /** No value waits for the next start any more. */
    synchronized void guestEnded() {
        state = state.withGuests(null);
    }

    /** {@code obey} hears of what holds now, and of each change, in order, on any thread; it must be quick. */
    synchronized Events.Subscription obey(Consumer<Settings> obey) {
        obeying.add(obey);
        EffectiveSettings now = state.effective;
        if (now != null) {
            obey.accept(now.settings());
        }
        return () -> obeying.remove(obey);
    }

    Status.Configuration status() {
        State now = state;
        return new Status.Configuration(now.problems, now.warnings, now.pending());
    }

    // ---- for the control socket

    @Override
    public Outcome<View> view() {
        State now = state;
        return now.effective == null
                ? new Outcome.Failed<>(
                        Outcome.Reason.WRONG_STATE, "no settings hold: " + String.join("; ", now.problems))
                : new Outcome.Done<>(new View(now.effective, now.pending(), now.warnings, now.problems));
    }

    @Override
    public CompletionStage<Outcome<Changed>> set(String key, String value) {
        return edit(() -> store.set(key, value));
    }

    @Override
    public CompletionStage<Outcome<Changed>> unset(String key) {
        return edit(() -> store.unset(key));
    }

    private CompletionStage<Outcome<Changed>> edit(Supplier<SettingsStore.Edit> edit) {
        try {
            return CompletableFuture.supplyAsync(() -> outcome(edit.get()), edits);
        } catch (RejectedExecutionException e) {
            return CompletableFuture.completedStage(
                    new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "the daemon is shutting down"));
        }
    }

    private Outcome<Changed> outcome(SettingsStore.Edit edit) {
        return switch (edit) {
            case SettingsStore.Edit.Refused r -> new Outcome.Failed<>(reason(r.why()), r.text());
            case SettingsStore.Edit.Done d -> {
                reload(); // at once, not when the watch sees it
                yield switch (view()) {
                    case Outcome.Done<View> v ->
                        new Outcome.Done<>(new Changed(
                                v.value(),
                                d.setting().key(),
                                d.changed().stream()
                                        .filter(s -> !s.equals(d.setting()))
                                        .map(Setting::key)
                                        .toList(),
                                d.notes()));
                    case Outcome.Failed<View> f -> new Outcome.Failed<>(f.reason(), f.text());
                };
            }
        };
    }

    private static Outcome.Reason reason(SettingsStore.Why why) {
        return switch (why) {
            case UNKNOWN_KEY -> Outcome.Reason.NOT_FOUND;
            case BAD_VALUE -> Outcome.Reason.INVALID;
            case LOCKED -> Outcome.Reason.FORBIDDEN;
            case FILE -> Outcome.Reason.WRONG_STATE;
        };
    }

    @Override
    public Events.Subscription onChange(Runnable wake) {
        wakes.add(wake);
        return () -> wakes.remove(wake);
    }

    /** Ends the watch; edits under way are made. Idempotent. */
    @Override
    public void close() {
        SettingsWatch open;
        synchronized (this) {
            open = watch;
            watch = null;
        }
        if (open != null) {
            open.close(); // not under the lock, which its thread may wait for
        }
        edits.shutdown();
    }
}
