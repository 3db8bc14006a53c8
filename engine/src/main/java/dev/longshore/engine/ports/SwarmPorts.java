package dev.longshore.engine.ports;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.HostEndpoint;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * What {@code GET /services} says of ports in swarm's ingress mode. The Engine starts no docker-proxy for those: in the guest
 * they are rules of its packet filter, of IPv4 only, so they are called at the guest's own IPv4 address. Immutable.
 *
 * @param complete false if some port has no number yet, which no event will tell
 */
record SwarmPorts(List<Wanted> wanted, boolean complete) {
    static final SwarmPorts NONE = new SwarmPorts(List.of(), true);

    SwarmPorts {
        wanted = List.copyOf(wanted);
    }

    static SwarmPorts of(JsonNode services, IpAddress guest) {
        List<Wanted> found = new ArrayList<>();
        boolean complete = true;
        for (JsonNode service : services) {
            String name = service.path("Spec").path("Name").asString("");
            JsonNode specified = service.path("Spec").path("EndpointSpec").path("Ports");
            JsonNode assigned = service.path("Endpoint").path("Ports");
            complete &= specified.size() <= assigned.size();
            for (JsonNode port : assigned) {
                int number = port.path("PublishedPort").asInt(0);
                boolean ingress = port.path("PublishMode").asString("ingress").equals("ingress");
                complete &= !ingress || number > 0;
                HostEndpoint.Port host =
                        Container.endpoint(port.path("Protocol").asString("tcp"), "", number);
                if (ingress && host != null && number <= 65_535) {
                    found.add(new Wanted(host, List.of(guest), number, name));
                }
            }
        }
        return new SwarmPorts(found, complete);
    }
}
