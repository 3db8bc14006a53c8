package dev.longshore.engine.policy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.PortBinding;
import dev.longshore.config.Settings;
import dev.longshore.portforward.BindPolicy;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class BoundAddressesTest {
    private static final ApiRequest LIST = new ApiRequest("GET", "1.45", "/containers/json", "");
    private static final ApiRequest INSPECT = new ApiRequest("GET", "", "/containers/web/json", "");

    private BindPolicy policy = BindPolicy.of(PortBinding.DEFAULT_LOCAL_PORT_BINDING);
    private final ApiGate gate = new ApiGate(List.of(), List.of(new BoundAddresses(() -> policy)));

    private String shown(ApiRequest request, String answer) {
        byte[] json = answer.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
        return new String(gate.corrected(request, json).orElse(json), StandardCharsets.UTF_8).replace('"', '\'');
    }

    @Test
    void onlyAnswersAboutContainers_andOnlyIfTheSettingsMatter() {
        assertThat(gate.concernsAnswer(LIST)).isTrue();
        assertThat(gate.concernsAnswer(INSPECT)).isTrue();
        assertThat(gate.concernsAnswer(new ApiRequest("GET", "", "/images/json", "")))
                .isFalse();
        assertThat(gate.concernsAnswer(new ApiRequest("POST", "", "/containers/web/json", "")))
                .isFalse();
        policy = BindPolicy.of(PortBinding.DEFAULT_PORT_BINDING);
        assertThat(gate.concernsAnswer(LIST)).isFalse();
    }

    @Test
    void list_showsWhatIsBound() {
        assertThat(shown(
                        LIST,
                        "[{'Id':'a','Ports':[{'IP':'0.0.0.0','PrivatePort':80,'PublicPort':8080,'Type':'tcp'},"
                                + "{'IP':'::','PrivatePort':80,'PublicPort':8080,'Type':'tcp'},"
                                + "{'IP':'192.168.1.5','PrivatePort':81,'PublicPort':81,'Type':'udp'},"
                                + "{'PrivatePort':9,'Type':'tcp'}]},{'Id':'b','Ports':null},{'Id':'c'}]"))
                .isEqualTo("[{'Id':'a','Ports':[{'IP':'127.0.0.1','PrivatePort':80,'PublicPort':8080,'Type':'tcp'},"
                        + "{'IP':'::1','PrivatePort':80,'PublicPort':8080,'Type':'tcp'},"
                        + "{'IP':'192.168.1.5','PrivatePort':81,'PublicPort':81,'Type':'udp'},"
                        + "{'PrivatePort':9,'Type':'tcp'}]},{'Id':'b','Ports':null},{'Id':'c'}]");
    }

    @Test
    void inspect_showsWhatIsBound_andKeepsWhatWasAskedFor() {
        policy = BindPolicy.of(PortBinding.LOCAL_ONLY_PORT_BINDING);
        String asked = "{'HostConfig':{'PortBindings':{'80/tcp':[{'HostIp':'','HostPort':'80'}]}},'NetworkSettings':";
        assertThat(shown(
                        INSPECT,
                        asked
                                + "{'Ports':{'80/tcp':[{'HostIp':'0.0.0.0','HostPort':'80'},{'HostIp':'::','HostPort':'80'}],"
                                + "'81/tcp':null,'82/udp':[{'HostIp':'10.0.0.1','HostPort':'5'},"
                                + "{'HostIp':'10.0.0.2','HostPort':'5'}]}}}"))
                .isEqualTo(
                        asked + "{'Ports':{'80/tcp':[{'HostIp':'127.0.0.1','HostPort':'80'},"
                                + "{'HostIp':'::1','HostPort':'80'}],'81/tcp':null,'82/udp':[{'HostIp':'127.0.0.1','HostPort':'5'}]}}}");
    }

    @Test
    void whatIsBoundNowhere_isNotShown() {
        policy = BindPolicy.of(new Settings.Ports(
                PortBinding.DEFAULT_LOCAL_PORT_BINDING, List.of(InetAddress.ofLiteral("127.0.0.1"))));
        assertThat(shown(
                        INSPECT,
                        "{'NetworkSettings':{'Ports':{'80/tcp':[{'HostIp':'0.0.0.0','HostPort':'80'},"
                                + "{'HostIp':'::','HostPort':'80'}]}}}"))
                .isEqualTo("{'NetworkSettings':{'Ports':{'80/tcp':[{'HostIp':'127.0.0.1','HostPort':'80'}]}}}");
    }

    @Test
    void whatIsRightAlready_isNotEvenFormattedAnew() {
        String answer =
                "{ 'NetworkSettings' : {'Ports':{'80/tcp':[{'HostIp':'127.0.0.1'},{'HostIp':'0:0:0:0:0:0:0:1'}]}} }\n";
        assertThat(shown(INSPECT, answer)).isEqualTo(answer);
    }
}
