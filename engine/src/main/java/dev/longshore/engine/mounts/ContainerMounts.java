package dev.longshore.engine.mounts;

import dev.longshore.engine.client.EngineClient;
import io.netty.util.concurrent.Future;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import tools.jackson.databind.JsonNode;

/**
 * Sources of the bind mounts of containers that run, in the guest. Confined to the Engine's loop, but for the constructor.
 *
 * <p>Whoever follows the Engine's events tells what it inspects. Volumes that are bind mounts in disguise ({@code o=bind}) are known only by
 * asking for the volume, once for each name while a container has it.
 */
public final class ContainerMounts {
    private final Function<String, Future<EngineClient.Answer>> engine;
    private final Consumer<Set<String>> sources;

    /** By container. */
    private final Map<String, Set<String>> binds = new HashMap<>();

    private final Map<String, Set<String>> volumes = new HashMap<>();

    /** By name of a volume: what it binds, or "" if it does not, or it is being asked for. */
    private final Map<String, String> devices = new HashMap<>();

    private Set<String> told = Set.of();

    /**
     * @param engine answers {@code GET} of a path, on the loop
     * @param sources hears of all absolute paths in the guest, at each change, on the loop
     */
    public ContainerMounts(Function<String, Future<EngineClient.Answer>> engine, Consumer<Set<String>> sources) {
        this.engine = engine;
        this.sources = sources;
    }

    /** The answer to {@code GET /containers/{id}/json}. */
    public void onInspected(String id, JsonNode json) {
        if (!json.path("State").path("Running").asBoolean(false)) {
            onEnded(id);
            return;
        }
        Set<String> paths = new HashSet<>();
        Set<String> names = new HashSet<>();
        for (JsonNode mount : json.path("Mounts")) {
            String source = mount.path("Source").asString("");
            String name = mount.path("Name").asString("");
            switch (mount.path("Type").asString("")) {
                case "bind" -> {
                    if (source.startsWith("/")) {
                        paths.add(source);
                    }
                }
                case "volume" -> {
                    if (!name.isEmpty() && mount.path("Driver").asString("").equals("local")) {
                        names.add(name);
                    }
                }
                default -> {
                    // no path of the guest
                }
            }
        }
        binds.put(id, paths);
        volumes.put(id, names);
        names.forEach(this::ask);
        tell();
    }

    /** It runs no more, or is gone. */
    public void onEnded(String id) {
        binds.remove(id);
        volumes.remove(id);
        tell();
    }

    /** The answer to {@code GET /containers/json}: all that run. */
    public void onList(JsonNode list) {
        Set<String> ids = new HashSet<>();
        list.forEach(c -> ids.add(c.path("Id").asString("")));
        binds.keySet().retainAll(ids);
        volumes.keySet().retainAll(ids);
        tell();
    }

    /** There is no Engine any more. */
    public void end() {
        binds.clear();
        volumes.clear();
        tell();
    }

    private void ask(String volume) {
        if (devices.putIfAbsent(volume, "") != null) {
            return;
        }
        String path = "/volumes/" + URLEncoder.encode(volume, StandardCharsets.UTF_8);
        engine.apply(path).addListener((Future<EngineClient.Answer> f) -> {
            if (f.isSuccess() && f.getNow().status() == 200 && devices.containsKey(volume)) {
                devices.put(volume, device(f.getNow().body().path("Options")));
                tell();
            }
        });
    }

    private static String device(JsonNode options) {
        for (String flag : options.path("o").asString("").split(",", -1)) {
            if (flag.equals("bind") || flag.equals("rbind")) {
                return options.path("device").asString("");
            }
        }
        return "";
    }

    private void tell() {
        Set<String> used = new HashSet<>();
        volumes.values().forEach(used::addAll);
        devices.keySet().retainAll(used);
        Set<String> now = new HashSet<>();
        binds.values().forEach(now::addAll);
        used.stream()
                .map(devices::get)
                .filter(Objects::nonNull)
                .filter(d -> d.startsWith("/"))
                .forEach(now::add);
        if (!now.equals(told)) {
            told = Set.copyOf(now);
            sources.accept(told);
        }
    }
}
