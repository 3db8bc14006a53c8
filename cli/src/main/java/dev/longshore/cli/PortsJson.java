package dev.longshore.cli;

import dev.longshore.proto.control.v1.Endpoint;
import dev.longshore.proto.control.v1.Port;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** The list of ports for programs: an array, empty if there are none. */
final class PortsJson {
    private PortsJson() {}

    static String text(List<Port> ports) {
        return JsonMapper.builder()
                .enable(SerializationFeature.INDENT_OUTPUT)
                .build()
                .writeValueAsString(ports.stream().map(PortsJson::port).toList());
    }

    private static Map<String, Object> port(Port p) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("protocol", PortSpec.word(p.getProtocol()));
        json.put("host", endpoint(p.getHost()));
        json.put("guest", endpoint(p.getGuest()));
        json.put("owner", p.getOwner());
        json.put("active", p.getActive());
        json.put("note", p.getNote());
        json.put(
                "proxyProtocol",
                switch (p.getProxyProtocol()) {
                    case PROXY_PROTOCOL_V1 -> "v1";
                    case PROXY_PROTOCOL_V2 -> "v2";
                    case PROXY_PROTOCOL_UNSPECIFIED, UNRECOGNIZED -> "";
                });
        return json;
    }

    private static Map<String, Object> endpoint(Endpoint e) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("address", e.getAddress());
        json.put("port", e.getPort());
        return json;
    }
}
