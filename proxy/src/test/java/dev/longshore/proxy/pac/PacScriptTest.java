package dev.longshore.proxy.pac;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.route.ProxyConfig;
import java.net.InetAddress;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Delayed;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** One script's life, in virtual time. */
@Timeout(60)
class PacScriptTest {
    private final VirtualThreads threads = new VirtualThreads();
    private final List<FakeRunner> runners = new ArrayList<>();
    private @Nullable String source = "one";
    private Set<InetAddress> addresses = Set.of(InetAddress.ofLiteral("192.168.1.7"));
    private @Nullable String broken; // a text that no runner can read

    private final PacScript script = new PacScript(
            new ProxyConfig.Location("http://pac/x", "", "http://pac/x"),
            new PacScript.Parts(
                    () -> {
                        String text = source;
                        if (text == null) {
                            throw new PacException("its server answers 404");
                        }
                        return text;
                    },
                    text -> {
                        FakeRunner made = new FakeRunner(text);
                        runners.add(made);
                        return made;
                    },
                    threads,
                    () -> threads.now,
                    Clock.fixed(Instant.parse("2026-11-27T12:00:00Z"), ZoneOffset.UTC),
                    () -> addresses));

    /** Answers when the test says so. */
    private final class FakeRunner implements PacRunner {
        private final String text;
        private final List<String> asked = new ArrayList<>();
        private final List<CompletableFuture<String>> answers = new ArrayList<>();
        private boolean closed;

        FakeRunner(String text) {
            this.text = text;
        }

        @Override
        public CompletableFuture<Void> ready() {
            return text.equals(broken)
                    ? CompletableFuture.failedFuture(new PacException("line 1: syntax error"))
                    : CompletableFuture.completedFuture(null);
        }

        @Override
        public CompletableFuture<String> find(String url, String host) {
            asked.add(url + " " + host);
            CompletableFuture<String> answer = new CompletableFuture<>();
            answers.add(answer);
            return answer;
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    /** Runs what is due when the test lets time pass. */
    private static final class VirtualThreads extends ScheduledThreadPoolExecutor {
        private final List<Task> tasks = new ArrayList<>();
        private long now = Long.MAX_VALUE - 1_000_000; // it overflows on the way

        VirtualThreads() {
            super(0);
        }

        @Override
        public ScheduledFuture<?> schedule(Runnable command, long delay, TimeUnit unit) {
            Task task = new Task(command, now + unit.toNanos(delay));
            tasks.add(task);
            return task;
        }

        void pass(Duration time) {
            now += time.toNanos();
            for (Task due : List.copyOf(tasks)) {
                if (due.at - now <= 0) {
                    tasks.remove(due);
                    due.command.run();
                }
            }
        }
    }

    /** What is to be run. */
    private static final class Task extends CompletableFuture<Void> implements ScheduledFuture<Void> {
        private final Runnable command;
        private final long at;

        Task(Runnable command, long at) {
            this.command = command;
            this.at = at;
        }

        @Override
        public long getDelay(TimeUnit unit) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int compareTo(Delayed other) {
            throw new UnsupportedOperationException();
        }
    }

    private CompletableFuture<PacResult> ask(String host, int port) {
        return script.find(false, host, port).toCompletableFuture();
    }

    private String said(String host) {
        CompletableFuture<PacResult> asked = ask(host, 443);
        runners.forEach(r -> r.answers.forEach(a -> a.complete("PROXY " + r.text + ":1")));
        return String.valueOf(asked.join());
    }

    @Test
    void whoAsksBeforeItIsThere_waits() {
        CompletableFuture<PacResult> early = ask("a.example", 443);
        script.start();
        assertThat(early).isNotDone();
        threads.pass(Duration.ZERO);
        assertThat(early).isNotDone();
        assertThat(runners.getFirst().asked).containsExactly("https://a.example:443 a.example");
        runners.getFirst().answers.getFirst().complete("PROXY p:1; DIRECT");
        assertThat(early.join()).isInstanceOfSatisfying(PacResult.Said.class, s -> assertThat(s.hops())
                .hasToString("[http://p:1, DIRECT]"));
    }

    @Test
    void url_hasThePortAlways_andNoPath() {
        script.start();
        threads.pass(Duration.ZERO);
        script.find(true, "a.example", 80);
        script.find(false, "2001:db8::1", 8443);
        assertThat(runners.getFirst().asked)
                .containsExactly("http://a.example:80 a.example", "https://[2001:db8::1]:8443 2001:db8::1");
    }

    @Test
    void answers_areRemembered_forSomeMinutes_alsoThoseUnderWay() {
        script.start();
        threads.pass(Duration.ZERO);
        CompletableFuture<PacResult> one = ask("a.example", 443);
        CompletableFuture<PacResult> same = ask("a.example", 443);
        ask("a.example", 80);
        assertThat(runners.getFirst().asked).hasSize(2);
        runners.getFirst().answers.getFirst().complete("DIRECT");
        assertThat(one.join()).isEqualTo(same.join());
        threads.pass(PacScript.MEMORY.minusSeconds(1));
        assertThat(ask("a.example", 443)).isDone();
        threads.pass(Duration.ofSeconds(1));
        assertThat(ask("a.example", 443)).isNotDone();
    }

    @Test
    void answers_ofAnotherNetwork_areForgotten() {
        script.start();
        threads.pass(Duration.ZERO);
        CompletableFuture<PacResult> first = ask("a.example", 443);
        runners.getFirst().answers.getFirst().complete("DIRECT");
        threads.pass(PacScript.LOOK);
        assertThat(ask("a.example", 443)).as("the same addresses").isSameAs(first);
        threads.pass(Duration.ZERO);

        addresses = Set.of(InetAddress.ofLiteral("10.8.0.2"), InetAddress.ofLiteral("192.168.1.7"));
        assertThat(ask("a.example", 443)).as("not looked at again yet").isSameAs(first);
        threads.pass(PacScript.LOOK);
        assertThat(ask("a.example", 443)).as("while it is looked at").isSameAs(first);
        threads.pass(Duration.ZERO);

        assertThat(ask("a.example", 443)).isNotDone();
        assertThat(runners.getFirst().asked).hasSize(2);
    }

    @Test
    void failure_isRemembered_forSecondsOnly() {
        script.start();
        threads.pass(Duration.ZERO);
        CompletableFuture<PacResult> one = ask("a.example", 443);
        runners.getFirst().answers.getFirst().completeExceptionally(new PacException("line 7: no"));
        assertThat(one.join()).isEqualTo(new PacResult.Failed("line 7: no"));
        assertThat(ask("a.example", 443).join()).isEqualTo(new PacResult.Failed("line 7: no"));
        threads.pass(PacScript.FAILURE_MEMORY);
        assertThat(ask("a.example", 443)).isNotDone();
    }

    @Test
    void memory_isBounded() {
        script.start();
        threads.pass(Duration.ZERO);
        for (int i = 0; i < PacScript.MAX_REMEMBERED + 1; i++) {
            ask("a" + i + ".example", 443);
        }
        int asked = runners.getFirst().asked.size();
        ask("a0.example", 443);
        assertThat(runners.getFirst().asked).hasSize(asked + 1);
        ask("a" + PacScript.MAX_REMEMBERED + ".example", 443);
        assertThat(runners.getFirst().asked).hasSize(asked + 1);
    }

    @Test
    void newScript_isFetchedHourly_andForgetsAnswers() {
        script.start();
        threads.pass(Duration.ZERO);
        assertThat(said("a.example")).contains("PROXY one:1");
        threads.pass(PacScript.REFETCH);
        assertThat(runners).as("the same text again").hasSize(1);
        source = "two";
        threads.pass(PacScript.REFETCH);
        assertThat(runners).hasSize(2);
        assertThat(runners.getFirst().closed).isTrue();
        assertThat(said("a.example")).contains("PROXY two:1");
    }

    @Test
    void lastGoodScript_counts_whenThereIsNoNewerOne() {
        script.start();
        threads.pass(Duration.ZERO);
        source = null;
        threads.pass(PacScript.REFETCH);
        assertThat(said("a.example")).contains("PROXY one:1");
        assertThat(script.problem()).isEqualTo("its server answers 404; the one from before counts");
        source = "broken";
        broken = "broken";
        threads.pass(Duration.ofMinutes(10));
        assertThat(said("b.example")).contains("PROXY one:1");
        assertThat(script.state()).contains("3 characters", "since then: line 1: syntax error");
        source = "two";
        threads.pass(Duration.ofMinutes(10));
        assertThat(script.problem()).isEmpty();
        assertThat(said("b.example")).contains("PROXY two:1");
    }

    @Test
    void withoutAnyScript_questionsFail_andItIsTriedAgainSoon() {
        source = null;
        CompletableFuture<PacResult> early = ask("a.example", 443);
        script.start();
        threads.pass(Duration.ZERO);
        assertThat(early.join()).isEqualTo(new PacResult.Failed("its server answers 404"));
        assertThat(script.state()).isEqualTo("there is none: its server answers 404");
        source = "one";
        threads.pass(Duration.ofSeconds(4));
        assertThat(runners).isEmpty();
        threads.pass(Duration.ofSeconds(1));
        assertThat(said("a.example")).contains("PROXY one:1");
    }

    @Test
    void closed_closesItsRunner_andFailsQuestions() {
        script.start();
        threads.pass(Duration.ZERO);
        script.close();
        assertThat(runners.getFirst().closed).isTrue();
        assertThat(ask("a.example", 443).join()).isInstanceOf(PacResult.Failed.class);
    }
}
