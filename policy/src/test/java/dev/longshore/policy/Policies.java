package dev.longshore.policy;

import dev.longshore.config.EgressPolicy;
import dev.longshore.config.Settings;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsResult;
import dev.longshore.vpnkit.flow.ContainerIdentity;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Policies as users write them, and containers. */
final class Policies {
    private Policies() {}

    static EgressPolicy policy(String json) {
        return switch (read(json.replace('\'', '"'))) {
            case SettingsResult.Usable u -> egress(u.settings());
            case SettingsResult.Refused r ->
                throw new IllegalArgumentException(r.problems().getFirst().inFile());
        };
    }

    /** Null for one that is refused. */
    static @Nullable EgressPolicy acceptable(String json) {
        return read(json) instanceof SettingsResult.Usable u ? egress(u.settings()) : null;
    }

    private static SettingsResult read(String json) {
        try {
            Path directory = Files.createTempDirectory("policy");
            Path user = directory.resolve("settings.json");
            Files.writeString(user, "{\"egressPolicy\": " + json + "}");
            SettingsResult read = new SettingsFiles(user, directory.resolve("admin-settings.json")).read();
            Files.delete(user);
            Files.delete(directory);
            return read;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static EgressPolicy egress(Settings settings) {
        return settings.egress();
    }

    static ContainerIdentity container(String name) {
        return container(name, "busybox:1.36", null, null, "bridge");
    }

    static ContainerIdentity container(
            String name, String image, @Nullable String project, @Nullable String service, String... networks) {
        return new ContainerIdentity("0".repeat(64), name, image, project, service, Set.of(networks));
    }
}
