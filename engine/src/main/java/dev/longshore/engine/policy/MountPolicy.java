package dev.longshore.engine.policy;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.function.Supplier;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.node.StringNode;

/**
 * Bind mounts: their sources become those in the guest, and a source that nobody knows is refused in Docker Desktop's words.
 * Left alone, the Engine would make an empty directory in the guest and mount that. Thread-safe if the sources are.
 *
 * <p>Looked at are the binds and mounts of containers and of services, and volumes of the driver {@code local} that are
 * bind mounts in disguise ({@code o=bind}), whether made by themselves or in passing. Relative sources are names of volumes or
 * errors that the Engine tells.
 */
public final class MountPolicy implements ApiPolicy {
    /** What Docker Desktop answers, though it does so at the container's start. */
    private static final int STATUS = 500;

    private final List<BindSources> sources;
    private final Supplier<String> advice;

    /**
     * @param sources asked in this order until one knows the path
     * @param advice for a user whose path none knows: what is shared, and how to share more. Called on any thread
     */
    public MountPolicy(List<BindSources> sources, Supplier<String> advice) {
        this.sources = List.copyOf(sources);
        this.advice = advice;
    }

    /** A path in a request's body, what is to be done if there is nothing, and how to put another in its place. */
    private record Place(String path, BindSources.IfMissing ifMissing, Consumer<String> put) {}

    private record Found(Place place, BindSource source) {}

    @Override
    public boolean concerns(ApiRequest request) {
        return request.posts("/containers/create")
                || request.posts("/volumes/create")
                || request.posts("/services/create")
                || request.posts("/services/", "/update");
    }

    @Override
    public CompletionStage<ApiVerdict> judge(ApiRequest request, ObjectNode body) {
        List<Place> places = new ArrayList<>();
        switch (request.path()) {
            case "/containers/create" -> {
                addContainer(body, places); // Engines before 27 read the host's part here, too
                addContainer(GoJson.member(body, "HostConfig"), places);
            }
            case "/volumes/create" -> addDriver(body, "Driver", "DriverOpts", places);
            default -> {
                JsonNode spec = GoJson.member(GoJson.member(body, "TaskTemplate"), "ContainerSpec");
                addMounts(GoJson.member(spec, "Mounts"), places);
            }
        }
        CompletionStage<List<Found>> all = CompletableFuture.completedStage(List.of());
        for (Place place : places) {
            all = all.thenCombine(find(place, 0), (before, source) -> {
                List<Found> more = new ArrayList<>(before);
                more.add(new Found(place, source));
                return more;
            });
        }
        return all.thenApply(this::verdict);
    }

    private CompletionStage<BindSource> find(Place place, int from) {
        return from == sources.size()
                ? CompletableFuture.completedStage(BindSource.UNKNOWN)
                : sources.get(from).find(place.path, place.ifMissing).thenCompose(source -> switch (source) {
                    case BindSource.Unknown _ -> find(place, from + 1);
                    case BindSource.InGuest _, BindSource.Denied _, BindSource.Withheld _, BindSource.Unusable _ ->
                        CompletableFuture.completedStage(source);
                });
    }

    private ApiVerdict verdict(List<Found> all) {
        Set<String> denied = new LinkedHashSet<>();
        Set<String> reasons = new LinkedHashSet<>();
        for (Found found : all) {
            switch (found.source) {
                case BindSource.Unknown _ -> denied.add(found.place.path);
                case BindSource.Denied(String leadsTo) ->
                    denied.add(found.place.path + ", which leads to " + leadsTo + ",");
                case BindSource.Withheld(String reason) -> {
                    denied.add(found.place.path);
                    reasons.add(reason);
                }
                case BindSource.InGuest _, BindSource.Unusable _ -> {
                    // not denied
                }
            }
        }
        if (!denied.isEmpty()) {
            return new ApiVerdict.Refused(STATUS, text(denied, reasons));
        }
        for (Found found : all) {
            if (found.source instanceof BindSource.Unusable(int status, String message)) {
                return new ApiVerdict.Refused(status, message);
            }
        }
        boolean changed = false;
        for (Found found : all) {
            if (found.source instanceof BindSource.InGuest known
                    && !known.path().equals(found.place.path)) {
                found.place.put.accept(known.path());
                changed = true;
            }
        }
        return changed ? ApiVerdict.CHANGED : ApiVerdict.PASS;
    }

    /** The first lines are Docker Desktop's, for tools that look for them. */
    private String text(Set<String> paths, Set<String> reasons) {
        StringBuilder text = new StringBuilder("Mounts denied: \n");
        for (String path : paths) {
            text.append("The path ").append(path).append(" is not shared from the host and is not known to Docker.\n");
        }
        reasons.forEach(reason -> text.append(reason).append('\n'));
        return text.append(advice.get()).toString();
    }

    // ---- where paths are in a body

    private static void addContainer(JsonNode config, List<Place> places) {
        if (GoJson.member(config, "Binds") instanceof ArrayNode binds) {
            for (int i = 0; i < binds.size(); i++) {
                addBind(binds, i, places);
            }
        }
        addMounts(GoJson.member(config, "Mounts"), places);
    }

    /** {@code source:target[:options]}; without a colon it is an anonymous volume. */
    private static void addBind(ArrayNode binds, int i, List<Place> places) {
        String bind = text(binds.get(i));
        int colon = bind.indexOf(':');
        if (colon > 0) {
            add(
                    bind.substring(0, colon),
                    BindSources.IfMissing.CREATE,
                    path -> binds.set(i, path + bind.substring(colon)),
                    places);
        }
    }

    private static void addMounts(JsonNode mounts, List<Place> places) {
        if (mounts instanceof ArrayNode list) {
            for (JsonNode node : list) {
                if (node instanceof ObjectNode mount) {
                    addMount(mount, places);
                }
            }
        }
    }

    private static void addMount(ObjectNode mount, List<Place> places) {
        switch (text(GoJson.member(mount, "Type"))) {
            case "bind" -> addMember(mount, "Source", ifMissing(GoJson.member(mount, "BindOptions")), places);
            case "volume" -> {
                JsonNode driver = GoJson.member(GoJson.member(mount, "VolumeOptions"), "DriverConfig");
                addDriver(driver, "Name", "Options", places);
            }
            default -> {
                // no path of the host
            }
        }
    }

    /** The driver local mounts {@code device} with the flags in {@code o}; a Go map, so case counts. */
    private static void addDriver(JsonNode config, String driver, String options, List<Place> places) {
        String name = text(GoJson.member(config, driver));
        if ((name.isEmpty() || name.equals("local"))
                && GoJson.member(config, options) instanceof ObjectNode map
                && List.of(text(map.path("o")).split(",", -1)).stream().anyMatch(MountPolicy::isBindFlag)) {
            add(text(map.path("device")), BindSources.IfMissing.LEAVE, path -> map.put("device", path), places);
        }
    }

    private static boolean isBindFlag(String flag) {
        return flag.equals("bind") || flag.equals("rbind");
    }

    private static BindSources.IfMissing ifMissing(JsonNode options) {
        JsonNode create = GoJson.member(options, "CreateMountpoint");
        return create.isBoolean() && create.booleanValue()
                ? BindSources.IfMissing.CREATE
                : BindSources.IfMissing.REFUSE;
    }

    private static void addMember(ObjectNode object, String name, BindSources.IfMissing ifMissing, List<Place> places) {
        String key = GoJson.key(object, name);
        if (key != null) {
            add(text(object.path(key)), ifMissing, path -> object.put(key, path), places);
        }
    }

    private static void add(String path, BindSources.IfMissing ifMissing, Consumer<String> put, List<Place> places) {
        if (path.startsWith("/")) {
            places.add(new Place(GoPath.clean(path), ifMissing, put));
        }
    }

    private static String text(JsonNode node) {
        return node instanceof StringNode string ? string.stringValue() : "";
    }
}
