package dev.longshore.engine.policy;

import dev.longshore.portforward.BindPolicy;
import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.node.StringNode;

/**
 * Lets {@code docker ps}, {@code docker port} and {@code docker inspect} say which addresses of the host are bound. The Engine
 * knows what it asked for: where the settings bind published ports elsewhere, or nowhere, it does not hear of it. Thread-safe if
 * the supplier is.
 */
public final class BoundAddresses implements AnswerView {
    private final Supplier<BindPolicy> policy;

    /** Asks {@code policy} for each answer, since settings change while containers run. */
    public BoundAddresses(Supplier<BindPolicy> policy) {
        this.policy = policy;
    }

    @Override
    public boolean concerns(ApiRequest request) {
        return request.method().equals("GET")
                && request.path().startsWith("/containers/")
                && request.path().endsWith("/json")
                && !policy.get().isOpen();
    }

    @Override
    public boolean correct(ApiRequest request, JsonNode body) {
        boolean changed = false;
        if (body instanceof ArrayNode list) {
            for (JsonNode container : list) {
                changed |= correct(container.path("Ports"), "IP");
            }
        } else if (body.path("NetworkSettings").path("Ports") instanceof ObjectNode ports) {
            for (Map.Entry<String, JsonNode> port : ports.properties()) {
                changed |= correct(port.getValue(), "HostIp");
            }
        }
        return changed;
    }

    /** What is bound nowhere is left out, and so is what becomes the same as another. */
    private boolean correct(JsonNode bindings, String member) {
        if (!(bindings instanceof ArrayNode list)) {
            return false;
        }
        Set<JsonNode> shown = new LinkedHashSet<>();
        boolean changed = false;
        for (JsonNode binding : list) {
            String asked = binding.path(member) instanceof StringNode s ? s.stringValue() : "";
            Optional<String> bound = bound(asked);
            changed |= !bound.equals(Optional.of(asked));
            if (binding instanceof ObjectNode object && bound.isPresent() && !asked.isEmpty()) {
                object.put(member, bound.get());
            }
            if (bound.isPresent()) {
                shown.add(binding);
            }
        }
        if (changed) {
            list.removeAll();
            shown.forEach(list::add);
        }
        return changed;
    }

    /** A port that is not published has no address and is left alone. */
    private Optional<String> bound(String asked) {
        byte[] bytes = asked.isEmpty() ? null : NetUtil.createByteArrayFromIpAddressString(asked);
        try {
            return bytes == null
                    ? Optional.of(asked)
                    : policy.get()
                            .boundFor(InetAddress.getByAddress(bytes))
                            .map(text -> sameAddress(text, bytes) ? asked : text);
        } catch (UnknownHostException e) {
            return Optional.of(asked);
        }
    }

    private static boolean sameAddress(String text, byte[] address) {
        return Arrays.equals(NetUtil.createByteArrayFromIpAddressString(text), address);
    }
}
