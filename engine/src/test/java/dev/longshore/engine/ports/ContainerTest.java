package dev.longshore.engine.ports;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What is understood of the Engine's answers. */
class ContainerTest {
    private static JsonNode json(String text) {
        return JsonMapper.shared().readTree(text.replace('\'', '"'));
    }

    private static Container container(String networks, String ports) {
        return Container.of(
                json("{'Id':'ab','Name':'/web','State':{'Running':true},'HostConfig':{'NetworkMode':'bridge'},"
                        + "'NetworkSettings':{'Networks':{" + networks + "},'Ports':{" + ports + "}}}"));
    }

    @Test
    void publishedPorts_leadToTheContainer_eachFamilyToItsOwn() {
        Container c = container(
                "'bridge':{'Gateway':'172.17.0.1','IPAddress':'172.17.0.2','GlobalIPv6Address':'fd00::2'}",
                "'80/tcp':[{'HostIp':'0.0.0.0','HostPort':'8080'},{'HostIp':'::','HostPort':'8080'}],"
                        + "'53/udp':[{'HostIp':'127.0.0.1','HostPort':'53'}],'90/tcp':null");

        assertThat(c.name()).isEqualTo("web");
        assertThat(c.wanted())
                .extracting(w -> w.forward().toString())
                .containsExactly(
                        "tcp 0.0.0.0:8080 -> 172.17.0.2:80",
                        "tcp [::]:8080 -> [fd00::2]:80",
                        "udp 127.0.0.1:53 -> 172.17.0.2:53");
    }

    @Test
    void withoutAnIpv6Address_theHostsIpv6LeadsToIpv4() {
        Container c = container(
                "'bridge':{'Gateway':'172.17.0.1','IPAddress':'172.17.0.2','GlobalIPv6Address':''}",
                "'80/tcp':[{'HostIp':'::','HostPort':'8080'}]");

        assertThat(c.wanted())
                .extracting(w -> w.forward().toString())
                .containsExactly("tcp [::]:8080 -> 172.17.0.2:80");
    }

    @Test
    void ofSeveralNetworks_theOneWithAGatewayAndTheFirstNameCounts_andAllFit() {
        Container c = container(
                "'z':{'Gateway':'10.1.0.1','IPAddress':'10.1.0.2'},'a':{'Gateway':'','IPAddress':'10.2.0.2'},"
                        + "'b':{'Gateway':'10.3.0.1','IPAddress':'10.3.0.2'}",
                "'80/tcp':[{'HostIp':'','HostPort':'8080'}]");

        assertThat(c.wanted().getFirst().addresses())
                .extracting(IpAddress::toString)
                .containsExactly("10.3.0.2", "10.1.0.2", "10.2.0.2");
    }

    @Test
    void whatCanNotBePublished_orIsMalformed_isLeftOut() {
        Container c = container(
                "'bridge':{'IPAddress':'172.17.0.2'}",
                "'80/sctp':[{'HostIp':'','HostPort':'1'}],'x/tcp':[{'HostIp':'','HostPort':'2'}],"
                        + "'80/tcp':[{'HostIp':'no address','HostPort':'3'},{'HostIp':'','HostPort':'70000'},{},5],'81':[{}]");

        assertThat(c.wanted()).isEmpty();
        assertThat(Container.of(json("[]")).wanted()).isEmpty();
    }

    @Test
    void containerThatDoesNotRun_wantsNothing() {
        assertThat(Container.of(json("{'Id':'a','State':{'Running':false},'NetworkSettings':{'Networks':{'b':{"
                                + "'IPAddress':'172.17.0.2'}},'Ports':{'80/tcp':[{'HostIp':'','HostPort':'80'}]}}}"))
                        .wanted())
                .isEmpty();
    }

    @Test
    void swarm_ingressPortsLeadToTheGuest_hostPortsAreTheContainers() {
        IpAddress guest = IpAddress.parse("192.168.65.3");
        SwarmPorts ports = SwarmPorts.of(
                json("[{'Spec':{'Name':'web','EndpointSpec':{'Ports':[{},{}]}},'Endpoint':{'Ports':["
                        + "{'Protocol':'tcp','TargetPort':80,'PublishedPort':8080,'PublishMode':'ingress'},"
                        + "{'Protocol':'tcp','TargetPort':81,'PublishedPort':8081,'PublishMode':'host'}]}}]"),
                guest);

        assertThat(ports.wanted())
                .extracting(w -> w.forward().toString())
                .containsExactly("tcp 0.0.0.0:8080 -> 192.168.65.3:8080");
        assertThat(ports.complete()).isTrue();
        assertThat(SwarmPorts.of(json("[{'Spec':{'EndpointSpec':{'Ports':[{}]}},'Endpoint':{}}]"), guest)
                        .complete())
                .isFalse();
    }
}
