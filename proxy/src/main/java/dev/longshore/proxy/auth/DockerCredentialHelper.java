package dev.longshore.proxy.auth;

import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
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
    private static final long TIMEOUT_SECONDS = 15;

    private final String set;
    private final Path config;

    /**
     * @param set the helper's name without {@code docker-credential-}, or empty: then {@code config} says
     * @param config of the Docker CLI; it need not be there
     */
    public DockerCredentialHelper(String set, Path config) {
        this.set = set;
        this.config = config;
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

    private static @Nullable Login ask(String helper, ProxyAddress proxy) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(List.of("docker-credential-" + helper, "get"))
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            process.onExit().orTimeout(TIMEOUT_SECONDS, TimeUnit.SECONDS).exceptionally(_ -> {
                process.destroyForcibly();
                return process;
            });
            try (var in = process.getOutputStream()) {
                in.write((proxy + "\n").getBytes(StandardCharsets.UTF_8));
            }
            byte[] answer = process.getInputStream().readNBytes(MAX_ANSWER);
            if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
                return null; // it has none
            }
            JsonNode login = JsonMapper.shared().readTree(answer);
            String user = login.path("Username").asString("");
            return user.isEmpty() ? null : new Login(user, login.path("Secret").asString(""));
        } catch (JacksonException e) {
            LOG.warn("docker-credential-{} gave no JSON", helper);
            return null;
        } finally {
            process.destroyForcibly();
        }
    }
}
