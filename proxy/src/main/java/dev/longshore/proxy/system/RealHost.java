package dev.longshore.proxy.system;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** This host, as this process sees it. Thread-safe. */
final class RealHost implements HostProxies.Host {
    private static final Logger LOG = LoggerFactory.getLogger(RealHost.class);
    private static final long COMMAND_SECONDS = 3;
    private static final int MAX_OUTPUT = 1 << 20;

    @Override
    public Map<String, String> environment() {
        return System.getenv();
    }

    @Override
    public String system() {
        return System.getProperty("os.name", "");
    }

    @Override
    public Path home() {
        String home = System.getenv("HOME");
        return Path.of(home == null || !home.startsWith("/") ? System.getProperty("user.home", "/") : home);
    }

    @Override
    public @Nullable String output(List<String> command) {
        Process process;
        try {
            process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
        } catch (IOException e) {
            LOG.debug("{}: {}", command.getFirst(), e.toString());
            return null;
        }
        try {
            process.getOutputStream().close();
            CompletableFuture<String> text = new CompletableFuture<>();
            Thread.ofPlatform().daemon().name("system-proxies-output").start(() -> {
                try (InputStream out = process.getInputStream()) {
                    text.complete(new String(out.readNBytes(MAX_OUTPUT), StandardCharsets.UTF_8));
                } catch (IOException e) {
                    text.completeExceptionally(e);
                }
            });
            String all = text.get(COMMAND_SECONDS, TimeUnit.SECONDS);
            return process.waitFor(COMMAND_SECONDS, TimeUnit.SECONDS) && process.exitValue() == 0 ? all : null;
        } catch (IOException | ExecutionException | TimeoutException e) {
            LOG.warn("{} did not answer: {}", command.getFirst(), e.toString());
            return null;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        } finally {
            process.destroyForcibly();
        }
    }
}
