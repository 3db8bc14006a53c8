package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.control.Events;
import dev.longshore.engine.EngineFacts;
import dev.longshore.engine.EngineState;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class EngineNewsTest {
    private static final EngineState READY =
            new EngineState.Ready(new EngineFacts("26.1.5", "1.45", "1.24", "linux", "amd64", "6.12"));
    private static final EngineState STARTING = new EngineState.Starting();

    private final CompletableFuture<String> agent = new CompletableFuture<>();
    private final List<String> told = new ArrayList<>();
    private final EngineNews news = new EngineNews(() -> agent, what -> told.add(((Events.Notice) what).text()));

    @Test
    void firstStart_isNoNews() {
        news.accept(STARTING);
        news.accept(READY);
        assertThat(told).isEmpty();
    }

    @Test
    void engineThatIsLost_isTold_withWhetherTheGuestLives_andItsReturn() {
        news.accept(READY);
        news.accept(STARTING);
        assertThat(told).isEmpty();
        agent.complete("1");
        assertThat(told).singleElement().asString().contains("does not answer any more, the guest does");

        news.accept(READY);
        assertThat(told).last().asString().isEqualTo("the Docker Engine answers again");
    }

    @Test
    void guestThatIsLost_isToldAsSuch() {
        news.accept(READY);
        news.accept(STARTING);
        agent.completeExceptionally(new IOException("the guest's agent is silent"));
        assertThat(told)
                .singleElement()
                .asString()
                .contains("neither the Docker Engine nor the guest", "the guest's agent is silent", "longshore up");
    }

    @Test
    void stop_isNoLoss() {
        news.accept(READY);
        news.accept(new EngineState.Down("Longshore is stopping the guest"));
        news.accept(STARTING);
        assertThat(told).isEmpty();
    }

    @Test
    void lossThatIsExpected_isNoNews_theNextOneIs() {
        news.accept(READY);
        news.expectLoss(true);
        news.accept(STARTING);
        news.accept(READY);
        agent.complete("1");
        assertThat(told).isEmpty();
        news.expectLoss(true);
        news.expectLoss(false);
        news.accept(STARTING);
        assertThat(told).hasSize(1);
    }
}
