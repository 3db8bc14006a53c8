package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A guest that makes the daemon log something, over and over. */
class LogBrakeTest {
    private final LoggerContext context = new LoggerContext();
    private final Logger logger = context.getLogger("flooded");
    private final ListAppender<ILoggingEvent> lines = new ListAppender<>();
    private long now = Long.MAX_VALUE - TimeUnit.SECONDS.toNanos(5); // the clock may overflow

    @BeforeEach
    void attach() {
        context.addTurboFilter(new LogBrake(() -> now));
        logger.setLevel(Level.INFO);
        lines.start();
        logger.addAppender(lines);
    }

    private void flood(int count) {
        for (int i = 0; i < count; i++) {
            logger.warn("the guest did it again: {}", i);
        }
    }

    @Test
    void flood_isCutAndCounted() {
        flood(5_000);
        assertThat(lines.list).hasSize(1_000);

        now += TimeUnit.SECONDS.toNanos(10);
        flood(5_000);
        assertThat(lines.list).hasSize(2_000);
        assertThat(lines.list.get(1_000).getFormattedMessage()).startsWith("4000 lines before this one are missing");
    }

    @Test
    void usualRate_losesNothing() {
        for (int i = 0; i < 2_000; i++) {
            now += TimeUnit.MILLISECONDS.toNanos(10);
            flood(1);
        }
        assertThat(lines.list).hasSize(2_000);
    }

    @Test
    void linesThatNobodyWants_useNothingUp() {
        for (int i = 0; i < 5_000; i++) {
            logger.debug("detail {}", i);
        }
        assertThat(logger.isInfoEnabled()).isTrue();
        flood(1_000);
        assertThat(lines.list).hasSize(1_000);
    }
}
