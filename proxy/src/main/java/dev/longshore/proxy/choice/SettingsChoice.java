package dev.longshore.proxy.choice;

import dev.longshore.config.ProxyMode;
import dev.longshore.config.Secret;
import dev.longshore.config.Settings;
import dev.longshore.proxy.route.ExclusionList;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyConfig;
import dev.longshore.proxy.route.ProxyUrl;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What the settings say of the way of everything that comes from the guest: its containers' requests and the Engine's pulls. That is
 * {@code containersProxy}, or {@code proxy} where the former has no mode of its own. Of a group, {@code embeddedPac} counts before
 * {@code pac}, and that before {@code http}, {@code https} and {@code exclude}.
 */
final class SettingsChoice {
    private SettingsChoice() {}

    /** One group of settings. */
    private record Group(
            String name,
            ProxyMode mode,
            Secret http,
            Secret https,
            List<String> exclude,
            Secret pac,
            Secret embeddedPac,
            boolean detects,
            boolean locked) {
        String source() {
            String by = locked ? ", locked by an administrator" : "";
            return name + ".mode is " + mode.name().toLowerCase(java.util.Locale.ROOT) + by;
        }
    }

    /** @param system asked only if the mode is {@link ProxyMode#SYSTEM} */
    static ProxyConfig of(Settings.Proxy own, Settings.ContainersProxy containers, Supplier<ProxyConfig> system) {
        if (containers.mode() == ProxyMode.LIKE_HOST) {
            Group group = new Group(
                    "proxy",
                    own.mode(),
                    own.http(),
                    own.https(),
                    own.exclude(),
                    own.pac(),
                    own.embeddedPac(),
                    own.autoDetect(),
                    own.locked());
            return of(group, null, system);
        }
        Group group = new Group(
                "containersProxy",
                containers.mode(),
                containers.http(),
                containers.https(),
                containers.exclude(),
                containers.pac(),
                containers.embeddedPac(),
                own.autoDetect(),
                containers.locked());
        boolean nothing = containers.http().isEmpty() && containers.https().isEmpty();
        boolean everything = containers.transparentPorts().equals("*");
        String missing = nothing
                ? "containersProxy.mode is manual, and no proxy is set"
                : everything ? "containersProxy.transparentPorts is *, and no proxy is set for such requests" : null;
        return of(group, missing, system);
    }

    private static ProxyConfig of(Group group, @Nullable String missing, Supplier<ProxyConfig> system) {
        return switch (group.mode) {
            case NONE -> new ProxyConfig.None(group.source());
            case MANUAL -> manual(group, missing);
            case SYSTEM -> withLock(group, system.get());
            case LIKE_HOST -> throw new IllegalStateException("only containersProxy has this mode");
        };
    }

    private static ProxyConfig manual(Group group, @Nullable String missing) {
        ProxyConfig.Closed closed = group.locked ? ProxyConfig.Closed.ALWAYS : ProxyConfig.Closed.WITHOUT_SCRIPT;
        if (!group.embeddedPac.isEmpty()) {
            String text = group.embeddedPac.reveal();
            return new ProxyConfig.Script(
                    group.source(), new ProxyConfig.Location("", text, group.name + ".embeddedPac"), closed);
        }
        if (!group.pac.isEmpty()) {
            return new ProxyConfig.Script(
                    group.source(),
                    new ProxyConfig.Location(group.pac.reveal(), "", group.name + ".pac " + group.pac),
                    closed);
        }
        try {
            return new ProxyConfig.Fixed(
                    group.source(),
                    proxy(group.http, group.name + ".http"),
                    proxy(group.https, group.name + ".https"),
                    ExclusionList.parse(group.exclude),
                    false,
                    group.name + ".exclude",
                    missing);
        } catch (IllegalArgumentException e) {
            return new ProxyConfig.Unusable(group.source(), String.valueOf(e.getMessage()));
        }
    }

    private static @Nullable ProxyAddress proxy(Secret url, String key) {
        try {
            return url.isEmpty() ? null : ProxyUrl.parse(url.reveal());
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(key + " " + e.getMessage(), e);
        }
    }

    /** What a lock on {@code system} means for the system's script. */
    private static ProxyConfig withLock(Group group, ProxyConfig system) {
        String source = group.source() + ": " + system.source();
        return switch (system) {
            case ProxyConfig.None _ -> new ProxyConfig.None(source);
            case ProxyConfig.Fixed f ->
                new ProxyConfig.Fixed(
                        source, f.plain(), f.tunnel(), f.exclude(), f.only(), f.excludeKey(), f.missing());
            case ProxyConfig.Script s
            when s.location().equals(ProxyConfig.Location.WPAD) && !group.detects ->
                new ProxyConfig.None(
                        source + ": the network's own script (WPAD), which is not looked for (proxy.autoDetect)");
            case ProxyConfig.Script s ->
                new ProxyConfig.Script(
                        source, s.location(), group.locked ? ProxyConfig.Closed.ALWAYS : ProxyConfig.Closed.OPEN);
            case ProxyConfig.Unusable u -> new ProxyConfig.Unusable(source, u.reason());
        };
    }
}
