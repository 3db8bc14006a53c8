package dev.longshore.backend;

import dev.longshore.engine.EngineDialer;
import dev.longshore.engine.client.EngineClient;
import dev.longshore.portforward.PortTable;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import tools.jackson.databind.JsonNode;

/**
 * An Engine that is restarted while its containers run on: "live-restore", which is on for as long as that takes. Thread-safe: its parts
 * are; its methods block.
 */
final class EngineRestart implements EngineTrust.Control {
    private static final Duration QUESTION_LIMIT = Duration.ofSeconds(25);
    private static final Duration RELOAD_LIMIT = Duration.ofSeconds(20);
    private static final Duration START_LIMIT = Duration.ofMinutes(2);
    private static final long POLL_MILLIS = 50;

    private final AgentClient agent;
    private final EnginePart engine;
    private final EngineNews news;
    private final Supplier<PortTable> ports;

    EngineRestart(AgentClient agent, EnginePart engine, EngineNews news, Supplier<PortTable> ports) {
        this.agent = agent;
        this.engine = engine;
        this.news = news;
        this.ports = ports;
    }

    @Override
    public void hand(List<String> lines) throws Exception {
        String _ = Futures.get(agent.authorities(lines));
    }

    @Override
    public boolean isUp() {
        return engine.status().ready();
    }

    @Override
    public boolean isInSwarm() throws Exception {
        return !info().path("Swarm").path("LocalNodeState").asString("inactive").equals("inactive");
    }

    private JsonNode info() throws Exception {
        EngineDialer dialer = engine.dialer();
        Promise<EngineClient.Answer> promise = dialer.loop().newPromise();
        dialer.loop()
                .execute(() -> new EngineClient(dialer).get("/info").addListener((Future<EngineClient.Answer> f) -> {
                    if (f.isSuccess()) {
                        promise.trySuccess(f.getNow());
                    } else {
                        promise.tryFailure(f.cause());
                    }
                }));
        return Futures.get(promise, QUESTION_LIMIT).body();
    }

    @Override
    public boolean pause() throws Exception {
        news.expectLoss(true); // it hears of the pause before we do
        boolean paused = engine.pause();
        if (!paused) {
            news.expectLoss(false);
        }
        return paused;
    }

    @Override
    public void restart() throws Exception {
        String _ = command("live-on");
        // The Engine reads its settings when it likes, and an end before that would take the containers along.
        await(RELOAD_LIMIT, () -> isLive(), "it does not take its containers' lives apart from its own");
        int _ = Futures.get(ports.get().keep());
        String _ = command("restart");
    }

    private boolean isLive() {
        try {
            return info().path("LiveRestoreEnabled").asBoolean(false);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } catch (Exception e) {
            return false;
        }
    }

    private String command(String word) throws Exception {
        CompletableFuture<String> done = agent.engine(word);
        return Futures.get(done, Duration.ofMinutes(1));
    }

    @Override
    public void resume() throws Exception {
        engine.resume();
        await(START_LIMIT, this::isUp, "it does not answer; longshore logs --console shows what it says");
        String _ = command("live-off");
    }

    private static void await(Duration limit, BooleanSupplier met, String problem)
            throws IOException, InterruptedException {
        long begin = System.nanoTime();
        while (!met.getAsBoolean()) {
            if (System.nanoTime() - begin > limit.toNanos()) {
                throw new IOException(problem);
            }
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
    }
}
