package dev.longshore.engine.policy;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.node.StringNode;

/**
 * Lets {@code docker ps} and {@code docker inspect} name the sources of bind mounts as the host does: the Engine knows shared
 * folders by where they are in the guest. Immutable.
 */
public final class SharedSources implements AnswerView {
    private final String mountPoint;

    /** @param mountPoint below which the guest has the host's folders, under their own paths; no slash at its end */
    public SharedSources(String mountPoint) {
        this.mountPoint = mountPoint;
    }

    @Override
    public boolean concerns(ApiRequest request) {
        String path = request.path();
        return request.method().equals("GET")
                && ((path.startsWith("/containers/") && path.endsWith("/json"))
                        || path.equals("/volumes")
                        || path.startsWith("/volumes/"));
    }

    @Override
    public boolean correct(ApiRequest request, JsonNode body) {
        return request.path().startsWith("/volumes") ? correctVolumes(body) : correctContainers(body);
    }

    private boolean correctContainers(JsonNode body) {
        boolean changed = false;
        if (body instanceof ArrayNode list) {
            for (JsonNode container : list) {
                changed |= correctSources(container.path("Mounts"));
            }
            return changed;
        }
        changed = correctSources(body.path("Mounts"));
        changed |= correctSources(body.path("HostConfig").path("Mounts"));
        return correctBinds(body.path("HostConfig").path("Binds")) || changed;
    }

    private boolean correctSources(JsonNode mounts) {
        boolean changed = false;
        for (JsonNode mount : mounts) {
            changed |= correctMember(mount, "Source");
        }
        return changed;
    }

    /** {@code source:target[:options]}. */
    private boolean correctBinds(JsonNode binds) {
        boolean changed = false;
        if (binds instanceof ArrayNode list) {
            for (int i = 0; i < list.size(); i++) {
                if (list.get(i) instanceof StringNode bind && isBelow(bind.stringValue())) {
                    list.set(i, bind.stringValue().substring(mountPoint.length()));
                    changed = true;
                }
            }
        }
        return changed;
    }

    private boolean correctVolumes(JsonNode body) {
        boolean changed = correctMember(body.path("Options"), "device");
        for (JsonNode volume : body.path("Volumes")) {
            changed |= correctMember(volume.path("Options"), "device");
        }
        return changed;
    }

    private boolean correctMember(JsonNode node, String name) {
        if (node instanceof ObjectNode object
                && object.path(name) instanceof StringNode source
                && isBelow(source.stringValue())) {
            object.put(name, source.stringValue().substring(mountPoint.length()));
            return true;
        }
        return false;
    }

    private boolean isBelow(String path) {
        return path.startsWith(mountPoint + "/");
    }
}
