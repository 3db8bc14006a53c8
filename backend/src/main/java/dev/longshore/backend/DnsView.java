package dev.longshore.backend;

import dev.longshore.control.DnsControl;
import dev.longshore.control.Outcome;
import dev.longshore.vpnkit.dns.DnsExplanation;
import dev.longshore.vpnkit.dns.DnsLog;
import dev.longshore.vpnkit.dns.DnsServer;
import dev.longshore.vpnkit.dns.DnsSource;
import dev.longshore.vpnkit.dns.DnsText;
import io.netty.channel.EventLoop;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/** One network's name server as observers see it. Thread-safe: it is asked on its loop. */
final class DnsView implements DnsControl {
    private static final Pattern NAME = Pattern.compile("\\.|[!-~&&[^.]]{1,63}(\\.[!-~&&[^.]]{1,63})*\\.?");
    private static final int MAX_NAME = 253;

    private final EventLoop loop;
    private final DnsServer dns;

    DnsView(EventLoop loop, DnsServer dns) {
        this.loop = loop;
        this.dns = dns;
    }

    @Override
    public CompletionStage<Outcome<Answered>> query(String name, String type) {
        int number = DnsText.type(type.isEmpty() ? "A" : type);
        String plain = name.endsWith(".") ? name.substring(0, name.length() - 1) : name;
        if (number < 0) {
            return invalid("no type of records: " + type);
        }
        if (!NAME.matcher(name).matches() || plain.length() > MAX_NAME) {
            return invalid("no domain name: " + name);
        }
        return onLoop(answer -> dns.explain(plain, number, e -> answer.complete(new Outcome.Done<>(explained(e)))));
    }

    private static <T> CompletionStage<Outcome<T>> invalid(String text) {
        return CompletableFuture.completedStage(new Outcome.Failed<>(Outcome.Reason.INVALID, text));
    }

    @Override
    public CompletionStage<Outcome<List<Line>>> log(int most) {
        return onLoop(answer -> answer.complete(new Outcome.Done<>(
                dns.log().last(most).stream().map(DnsView::line).toList())));
    }

    @Override
    public CompletionStage<Outcome<Integer>> flush() {
        return onLoop(
                answer -> answer.complete(new Outcome.Done<>(dns.forwarder().flush())));
    }

    private <T> CompletionStage<Outcome<T>> onLoop(Consumer<CompletableFuture<Outcome<T>>> ask) {
        CompletableFuture<Outcome<T>> answer = new CompletableFuture<>();
        try {
            loop.execute(() -> {
                try {
                    ask.accept(answer);
                } catch (RuntimeException e) {
                    answer.completeExceptionally(e);
                }
            });
        } catch (RejectedExecutionException e) {
            answer.complete(new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "the guest's network has just ended"));
        }
        return answer;
    }

    private static Answered explained(DnsExplanation e) {
        return new Answered(
                e.name(),
                e.type(),
                e.rcode(),
                e.flags(),
                source(e.source()),
                e.from(),
                e.filtered(),
                e.micros(),
                e.steps(),
                e.records());
    }

    private static Line line(DnsLog.Line l) {
        return new Line(
                l.number(),
                l.at(),
                l.guest().toString(),
                l.name(),
                l.type(),
                l.tcp(),
                l.rcode(),
                l.bytes(),
                source(l.source()),
                l.filtered(),
                l.from(),
                l.micros());
    }

    private static Source source(DnsSource source) {
        return switch (source) {
            case LOCAL -> Source.LOCAL;
            case HOSTS -> Source.HOSTS;
            case CACHE -> Source.CACHE;
            case RESOLVER -> Source.RESOLVER;
            case ROUTE -> Source.ROUTE;
            case NONE -> Source.NONE;
            case BUSY -> Source.BUSY;
            case MALFORMED -> Source.MALFORMED;
            case POLICY -> Source.POLICY;
        };
    }
}
