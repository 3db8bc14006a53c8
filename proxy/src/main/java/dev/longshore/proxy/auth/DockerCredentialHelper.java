package dev.longshore.proxy.auth;

import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The stores of the operating systems, by the programs that the Docker CLI uses for registries: {@code docker-credential-NAME get}
 * takes a URL on its standard input and prints a login as JSON. Which one, a setting says, or {@code credHelpers} and {@code credsStore}
 * of the user's {@code config.json}. Thread-safe: no state.
 */
public final class DockerCredentialHelper implements CredentialSource {
    private static final Logger LOG = LoggerFactory.getLogger(DockerCredentialHelper.class);
    private static final int MAX_ANSWER = 64 * 1024;
    private static final Duration TIMEOUT = Duration.ofSeconds(15);
    private static final long POLL_MILLIS = 20;

    private final String set;
    private final Path config;
    private final Function<String, List<String>> commands;
    private final Duration timeout;

    /**
     * @param set the helper's name without {@code docker-credential-}, or empty: then {@code config} says
     * @param config of the Docker CLI; it need not be there
     */
    public DockerCredentialHelper(String set, Path config) {
        this(set, config, helper -> List.of("docker-credential-" + helper, "get"), TIMEOUT);
    }

    /**
     * For helpers that are elsewhere.
     *
     * @param commands what to run for a helper
     */
    public DockerCredentialHelper(String set, Path config, Function<String, List<String>> commands, Duration timeout) {
        this.set = set;
        this.config = config;
        this.commands = commands;
        this.timeout = timeout;
    }

    @Override
    public @Nullable Login find(ProxyAddress proxy) {
        String helper = set.isEmpty() ? configured(proxy) : set;
        if (helper.isEmpty()) {
            return null;
        }
        if (!helper.matches("[A-Za-z0-9_-]{1,64}")) {
            LOG.warn(
                    "not the name of a credential helper of Docker's: it has other characters than letters and digits");
            return null;
        }
        try {
            return ask(helper, proxy);
        } catch (IOException e) {
            LOG.warn("docker-credential-{} cannot be started", helper);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return null;
    }

    private String configured(ProxyAddress proxy) {
        try {
            if (!Files.isRegularFile(config)) {
                return "";
            }
            JsonNode root = JsonMapper.shared().readTree(Files.readString(config));
            JsonNode helper = root.path("credHelpers").path(proxy.host() + ":" + proxy.port());
            return (helper.isString() ? helper : root.path("credsStore")).asString("");
        } catch (IOException | JacksonException e) { // its text may quote the file
            LOG.warn("{} cannot be read", config);
            return "";
        }
    }

    private @Nullable Login ask(String helper, ProxyAddress proxy) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(commands.apply(helper))
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        byte[] answer;
        try {
            tell(process, proxy + "\n");
            answer = output(process);
        } finally {
            process.destroyForcibly();
        }
        return answer == null ? null : login(helper, answer);
    }

    /** Some look at nothing and end at once. */
    private static void tell(Process process, String url) {
        try (OutputStream in = process.getOutputStream()) {
            in.write(url.getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            LOG.debug("the credential helper did not read: {}", e.toString());
        }
    }

    /**
     * What it printed until it ended; null if it failed, took too long or does not stop printing. Never waits for the end of the output:
     * an agent that the helper has started may hold that open for days.
     */
    private byte @Nullable [] output(Process process) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        InputStream out = process.getInputStream();
        boolean ended;
        do {
            ended = process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS);
            while (out.available() > 0 && all.size() <= MAX_ANSWER) {
                all.write(out.readNBytes(Math.min(out.available(), MAX_ANSWER + 1 - all.size())));
            }
        } while (!ended && all.size() <= MAX_ANSWER && System.nanoTime() - deadline < 0);
        return ended && process.exitValue() == 0 && all.size() <= MAX_ANSWER ? all.toByteArray() : null;
    }

    /** Null if it is none. */
    static @Nullable Login login(String helper, byte[] answer) {
        try {
            JsonNode login = JsonMapper.shared().readTree(answer);
            String user = login.path("Username").asString("");
            return user.isEmpty() ? null : new Login(user, login.path("Secret").asString(""));
        } catch (JacksonException e) { // its text may quote the secret
            LOG.warn("docker-credential-{} gave no JSON", helper);
            return null;
        }
    }
}
