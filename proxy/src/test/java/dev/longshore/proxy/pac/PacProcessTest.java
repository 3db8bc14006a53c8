package dev.longshore.proxy.pac;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.util.concurrent.DefaultThreadFactory;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Scripts in real processes of their own. */
class PacProcessTest {
    private static final PacProcess.Limits LIMITS = new PacProcess.Limits(
            Duration.ofMillis(500), Duration.ofMillis(500), Duration.ofSeconds(60), Duration.ofMinutes(10));

    private final ScheduledThreadPoolExecutor threads =
            new ScheduledThreadPoolExecutor(2, new DefaultThreadFactory("pac-test", true));

    @AfterEach
    void end() {
        threads.shutdownNow();
    }

    private static String get(CompletableFuture<String> answer) throws Exception {
        return answer.get(100, TimeUnit.SECONDS);
    }

    @Test
    void script_answers_manyAtATime() throws Exception {
        try (PacProcess process = new PacProcess(
                "function FindProxyForURL(url, host) { return 'PROXY ' + host + ':1; ' + url; }",
                LIMITS.withCall(Duration.ofSeconds(60)),
                threads)) {
            process.ready().get(100, TimeUnit.SECONDS);
            for (int i = 0; i < 20; i++) {
                CompletableFuture<String> a = process.find("http://a" + i + ":80", "a" + i);
                CompletableFuture<String> b = process.find("http://b" + i + ":80", "b" + i);
                assertThat(get(a)).isEqualTo("PROXY a" + i + ":1; http://a" + i + ":80");
                assertThat(get(b)).isEqualTo("PROXY b" + i + ":1; http://b" + i + ":80");
            }
        }
    }

    @Test
    void badScript_isToldWhenItIsRead() {
        try (PacProcess process = new PacProcess("function FindProxyForURL( {", LIMITS, threads)) {
            assertThatThrownBy(() -> process.ready().get(100, TimeUnit.SECONDS))
                    .isInstanceOf(ExecutionException.class)
                    .cause()
                    .hasMessageStartingWith("line 1");
            assertThatThrownBy(() -> get(process.find("http://a:80", "a")))
                    .cause()
                    .hasMessageStartingWith("line 1");
        }
    }

    /** What neither counts instructions nor keeps within a heap: the process ends, and the next question is answered. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "while (true) a.push(a);",
                "while (true) a.push('x'.repeat(1000) + a.length);",
                "var s = 'x'; while (true) s += s + a[s];",
                "Array(100000000).join('xxxxxxxxxx');",
                "'x'.repeat(1 << 29).split('');",
                "new Array(4294967295).fill(1);",
                "Array.prototype.indexOf.call({length: 9007199254740991}, 1);",
                "Function.prototype.apply.call(Math.max, null, {length: 2000000000});",
                "new ArrayBuffer(2147483647);",
                "while (true) {}",
            })
    void hostileCall_failsAlone(String body) throws Exception {
        try (PacProcess process = new PacProcess(
                "function FindProxyForURL(url, host) { var a = []; if (host == 'evil') { " + body
                        + " return 'x'; } return 'DIRECT'; }",
                LIMITS,
                threads)) {
            process.ready().get(100, TimeUnit.SECONDS);
            assertThatThrownBy(() -> get(process.find("http://evil:80", "evil")))
                    .isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(PacException.class);
            assertThat(answered(process)).isEqualTo("DIRECT");
        }
    }

    /** A new process may take longer than a call has, on a busy machine. */
    private static String answered(PacProcess process) throws Exception {
        for (int i = 0; i < 20; i++) {
            try {
                return get(process.find("http://good:80", "good"));
            } catch (ExecutionException e) {
                assertThat(e).hasMessageContaining("in time");
            }
        }
        return "";
    }

    @Test
    void scriptThatAlwaysKillsItsProcess_getsNoMoreOfThem() throws Exception {
        try (PacProcess process = new PacProcess(
                "function FindProxyForURL(url, host) { Array(100000000).join('xxxxxxxxxx'); }", LIMITS, threads)) {
            process.ready().get(100, TimeUnit.SECONDS);
            Throwable last = new AssertionError();
            for (int i = 0; i < 10 && !String.valueOf(last.getMessage()).contains("times within a minute"); i++) {
                try {
                    String said = get(process.find("http://a:80", "a"));
                    throw new AssertionError(said);
                } catch (ExecutionException e) {
                    last = e;
                }
            }
            assertThat(last).hasMessageContaining("times within a minute");
        }
    }

    @Test
    void closed_failsWhatWaits_andWhatComes() throws Exception {
        PacProcess process = new PacProcess(
                "function FindProxyForURL(url, host) { while (true) {} }",
                LIMITS.withCall(Duration.ofHours(1)),
                threads);
        process.ready().get(100, TimeUnit.SECONDS);
        CompletableFuture<String> waiting = process.find("http://a:80", "a");
        process.close();
        assertThatThrownBy(() -> get(waiting)).hasMessageContaining("not used any more");
        assertThatThrownBy(() -> get(process.find("http://a:80", "a"))).hasMessageContaining("not used any more");
    }

    /** Its threads end first, and with them what they had not begun: nobody may wait for that for ever. */
    @Test
    void closedWithItsThreads_failsWhatHasNotBeenSent() {
        ScheduledThreadPoolExecutor dead = new ScheduledThreadPoolExecutor(0);
        PacProcess process = new PacProcess("function FindProxyForURL() {}", LIMITS, dead);
        CompletableFuture<String> queued = process.find("http://a:80", "a");
        dead.shutdownNow();
        process.close();
        assertThat(queued).isCompletedExceptionally();
        assertThat(process.find("http://a:80", "a")).isCompletedExceptionally();
        assertThat(process.ready()).isCompletedExceptionally();
    }

    /** A process that does not read, since its script never comes to an end: more than a pipe holds waits for it, but no lock. */
    @Test
    void processThatReadsNothing_isKilledInTime() {
        PacProcess.Limits limits = new PacProcess.Limits(
                Duration.ofSeconds(1), Duration.ofSeconds(1), Duration.ofSeconds(3), Duration.ofMinutes(10));
        String endless = "Array.prototype.indexOf.call({length: 9007199254740991}, 1);";
        try (PacProcess process = new PacProcess(endless, limits, threads)) {
            CompletableFuture<String> last = new CompletableFuture<>();
            for (int i = 0; i < 200; i++) {
                last = process.find("http://a" + i + ":80", "a".repeat(2000) + i);
            }
            CompletableFuture<String> waiting = last;
            assertThatThrownBy(() -> process.ready().get(100, TimeUnit.SECONDS)).hasMessageContaining("in time");
            assertThatThrownBy(() -> waiting.get(100, TimeUnit.SECONDS)).hasCauseInstanceOf(PacException.class);
        }
    }

    @Test
    void moreThanAFewHundredAtATime_areRefusedAtOnce() {
        ScheduledThreadPoolExecutor dead = new ScheduledThreadPoolExecutor(0);
        try (PacProcess process = new PacProcess("function FindProxyForURL() {}", LIMITS, dead)) {
            for (int i = 0; i < 256; i++) {
                assertThat(process.find("http://a:80", "a")).isNotDone();
            }
            assertThat(process.find("http://a:80", "a")).isCompletedExceptionally();
        } finally {
            dead.shutdownNow();
        }
    }
}
