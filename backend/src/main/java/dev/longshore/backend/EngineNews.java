package dev.longshore.backend;

import dev.longshore.control.Events;
import dev.longshore.engine.EngineState;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the user when the Engine stops answering while the guest runs, and when it answers again. Asks the guest's agent in
 * between, since what to do differs: an Engine that hangs, or a guest that does. Confined to the thread that calls it; the
 * agent's answer may come on another.
 */
final class EngineNews implements Consumer<EngineState> {
    private static final Logger LOG = LoggerFactory.getLogger(EngineNews.class);

    private static final String BACK = "the Docker Engine answers again";

    private final Supplier<CompletableFuture<String>> agent;
    private final Consumer<Events.What> events;
    private boolean answered;
    private boolean lost;
    private volatile boolean expected; // set by whoever restarts it

    /** @param agent asks it for its version */
    EngineNews(Supplier<CompletableFuture<String>> agent, Consumer<Events.What> events) {
        this.agent = agent;
        this.events = events;
    }

    /** Whether the next loss is no news, until it answers again. Any thread. */
    void expectLoss(boolean expect) {
        expected = expect;
    }

    @Override
    public void accept(EngineState now) {
        switch (now) {
            case EngineState.Ready _ -> {
                answered = true;
                expected = false;
                if (lost) {
                    lost = false;
                    LOG.info(BACK);
                    events.accept(new Events.Notice(BACK));
                }
            }
            case EngineState.Starting _ -> {
                if (answered && !lost && !expected) {
                    lost = true;
                    agent.get().whenComplete((version, error) -> tellLoss(text(error)));
                }
            }
            case EngineState.Down _ -> {
                answered = false;
                lost = false;
            }
        }
    }

    private static String text(@Nullable Throwable error) {
        return error == null
                ? "the Docker Engine does not answer any more, the guest does; it restarts an Engine that ended: "
                        + "longshore logs --console shows what it says"
                : "neither the Docker Engine nor the guest answers any more (" + error.getMessage()
                        + "): longshore logs --console shows its last words, longshore down and longshore up start it anew";
    }

    private void tellLoss(String text) {
        LOG.warn("{}", text);
        events.accept(new Events.Notice(text));
    }
}
