package dev.longshore.portforward;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.channel.ManualIoEventLoop;
import io.netty.channel.local.LocalIoHandler;
import io.netty.channel.local.LocalServerChannel;
import io.netty.channel.unix.Errors;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** In virtual time. */
class ReopenerTest {
    private final MockTicker ticker = Ticker.newMockTicker();
    private final ManualIoEventLoop loop =
            new ManualIoEventLoop(null, Thread.currentThread(), LocalIoHandler.newFactory(), ticker);
    private final List<Channel> bound = new ArrayList<>();
    private boolean failing;
    private int tries;
    private final Reopener reopener = new Reopener(loop, "tcp 0.0.0.0:80", this::bind);

    private Future<Channel> bind() {
        tries++;
        if (failing) {
            return loop.newFailedFuture(Errors.newIOException("bind", -98));
        }
        LocalServerChannel ch = new LocalServerChannel();
        ((EventLoop) loop).register(ch);
        bound.add(ch);
        return loop.newSucceededFuture(ch);
    }

    private void run() {
        for (int i = 0; i < 20; i++) {
            loop.runNow();
        }
    }

    private void advance(long millis) {
        ticker.advance(millis, TimeUnit.MILLISECONDS);
        run();
    }

    @AfterEach
    void stop() {
        reopener.close();
        run();
    }

    @Test
    void listenerDies_isOpenedAgainAtOnce() {
        reopener.open();
        run();
        bound.getFirst().close();
        run();
        assertThat(bound).hasSize(2);
        assertThat(bound.getLast().isOpen()).isTrue();
        assertThat(reopener.trouble()).isEmpty();
    }

    @Test
    void listenerDies_portIsTakenMeanwhile_isTriedEachSecond() {
        reopener.open();
        run();
        failing = true;
        bound.getFirst().close();
        run();
        assertThat(tries).isEqualTo(2);
        assertThat(reopener.trouble()).contains("bind: address already in use");
        advance(Reopener.RETRY_MILLIS - 1);
        assertThat(tries).isEqualTo(2);
        advance(1);
        assertThat(tries).isEqualTo(3);
        failing = false;
        advance(Reopener.RETRY_MILLIS);
        assertThat(bound).hasSize(2);
        assertThat(reopener.trouble()).isEmpty();
    }

    @Test
    void close_endsRetries() {
        reopener.open();
        run();
        failing = true;
        bound.getFirst().close();
        run();
        reopener.close();
        advance(10 * Reopener.RETRY_MILLIS);
        assertThat(tries).isEqualTo(2);
    }

    @Test
    void close_ofAnOpenOne_isNotADeath() {
        reopener.open();
        run();
        reopener.close();
        run();
        assertThat(bound).hasSize(1);
        assertThat(bound.getFirst().isOpen()).isFalse();
    }

    @Test
    void firstTime_failureIsTheCallers() {
        failing = true;
        Future<Channel> opened = reopener.open();
        run();
        assertThat(opened.isSuccess()).isFalse();
        advance(10 * Reopener.RETRY_MILLIS);
        assertThat(tries).isEqualTo(1);
    }
}
