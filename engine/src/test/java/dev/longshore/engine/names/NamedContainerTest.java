package dev.longshore.engine.names;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class NamedContainerTest {
    private static JsonNode json(String text) {
        return JsonMapper.shared().readTree(text.replace('\'', '"'));
    }

    @Test
    void inspection_givesNamesAndAddressesOfAllNetworks() {
        NamedContainer c = Objects.requireNonNull(NamedContainer.ofInspection(json("""
                {'Id':'3f2a','Name':'/shop-web-1','State':{'Running':true},
                 'Config':{'Image':'nginx:1.27','Labels':{'com.docker.compose.project':'shop','com.docker.compose.service':'web'}},
                 'NetworkSettings':{'Networks':{
                   'front':{'IPAddress':'172.18.0.2','GlobalIPv6Address':''},
                   'back':{'IPAddress':'172.19.0.5','GlobalIPv6Address':'fd00:19::5'}}}}""")));

        assertThat(c.identity().id()).isEqualTo("3f2a");
        assertThat(c.identity().name()).isEqualTo("shop-web-1");
        assertThat(c.identity().image()).isEqualTo("nginx:1.27");
        assertThat(c.identity().project()).isEqualTo("shop");
        assertThat(c.identity().service()).isEqualTo("web");
        assertThat(c.identity().networks()).containsExactlyInAnyOrder("front", "back");
        assertThat(c.addresses())
                .containsExactlyInAnyOrder(
                        IpAddress.parse("172.18.0.2"), IpAddress.parse("172.19.0.5"), IpAddress.parse("fd00:19::5"));
    }

    @Test
    void containerThatDoesNotRun_hasNoAddress() {
        assertThat(NamedContainer.ofInspection(json("{'Id':'3f2a','State':{'Running':false}}")))
                .isNull();
    }

    @Test
    void listed_withLinks_hasItsOwnName() {
        NamedContainer c = Objects.requireNonNull(NamedContainer.ofListed(json("""
                {'Id':'3f2a','Names':['/other/alias','/db'],'Image':'postgres','Labels':{'com.docker.stack.namespace':'st',
                 'com.docker.swarm.service.name':'st_db'},'NetworkSettings':{'Networks':{'bridge':{'IPAddress':'172.17.0.2'}}}}""")));

        assertThat(c.identity().name()).isEqualTo("db");
        assertThat(c.identity().project()).isEqualTo("st");
        assertThat(c.identity().service()).isEqualTo("st_db");
        assertThat(c.addresses()).containsExactly(IpAddress.parse("172.17.0.2"));
    }

    @Test
    void whatIsMissingOrMalformed_isAbsent() {
        NamedContainer c = Objects.requireNonNull(NamedContainer.ofInspection(json("""
                {'Id':'3f2a','State':{'Running':true},'NetworkSettings':{'Networks':{'host':{'IPAddress':''},'odd':{'IPAddress':'x.y'},
                 'none':null}}}""")));

        assertThat(c.identity().name()).isEmpty();
        assertThat(c.identity().project()).isNull();
        assertThat(c.addresses()).isEmpty();
        assertThat(c.identity().networks()).isEqualTo(Set.of("host", "odd", "none"));
        assertThat(NamedContainer.ofListed(json("{'Names':['/x']}"))).isNull();
        assertThat(NamedContainer.ofListed(json("7"))).isNull();
    }

    /** A label is whatever its user wrote; names and labels end up in logs and on terminals. */
    @Test
    void controlCharactersAndExcess_neverGetFurther() {
        NamedContainer c = Objects.requireNonNull(NamedContainer.ofInspection(json("""
                {'Id':'3f2a','Name':'/we\\u001b[2Jb','State':{'Running':true},
                 'Config':{'Image':'%s','Labels':{'com.docker.compose.project':'shop\\nWARN forged','com.docker.compose.service':'\\u202egnp'}},
                 'NetworkSettings':{'Networks':{'fr\\u0085ont':{'IPAddress':'172.18.0.2'}}}}""".formatted("i".repeat(70_000)))));

        assertThat(c.identity().name()).isEqualTo("we?[2Jb");
        assertThat(c.identity().image()).hasSize(255);
        assertThat(c.identity().project()).isEqualTo("shop?WARN forged");
        assertThat(c.identity().service()).isEqualTo("?gnp");
        assertThat(c.identity().networks()).containsExactly("fr?ont");
    }

    @Test
    void address_mayHaveThePrefixesLength() {
        assertThat(NamedContainer.address("172.21.0.3/16")).isEqualTo(IpAddress.parse("172.21.0.3"));
        assertThat(NamedContainer.address("fd00::3/64")).isEqualTo(IpAddress.parse("fd00::3"));
        assertThat(NamedContainer.address("")).isNull();
        assertThat(NamedContainer.address("/16")).isNull();
        assertThat(NamedContainer.address("500.1.1.1")).isNull();
    }
}
