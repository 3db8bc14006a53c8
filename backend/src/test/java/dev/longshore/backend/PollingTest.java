package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class PollingTest {
    @Test
    void failures_thenAnAnswer_isTheAnswer() throws Exception {
        Deque<CompletableFuture<String>> answers = new ArrayDeque<>(List.of(
                CompletableFuture.failedFuture(new IOException("refused")),
                CompletableFuture.failedFuture(new IOException("refused")),
                CompletableFuture.completedFuture("1.0")));

        assertThat(Polling.until(Duration.ofSeconds(10), "the agent", answers::pop))
                .isEqualTo("1.0");
        assertThat(answers).isEmpty();
    }

    @Test
    void failuresOnly_endAtTheLimitWithTheLastOne() {
        assertThatThrownBy(() -> Polling.until(
                        Duration.ofMillis(100),
                        "the agent",
                        () -> CompletableFuture.failedFuture(new IOException("refused"))))
                .isInstanceOf(PartException.class)
                .hasMessage("the agent did not answer within 0 s: refused");
    }

    @Test
    void attemptThatNeverEnds_endsAtTheLimit() {
        assertThatThrownBy(() -> Polling.until(Duration.ofMillis(100), "the agent", CompletableFuture<String>::new))
                .isInstanceOf(PartException.class);
    }

    @Test
    void interrupt_endsTheWait() {
        Thread.currentThread().interrupt();

        assertThatThrownBy(() -> Polling.until(Duration.ofMinutes(1), "the agent", CompletableFuture<String>::new))
                .isInstanceOf(InterruptedException.class);
        assertThat(Thread.interrupted()).isFalse();
    }
}
