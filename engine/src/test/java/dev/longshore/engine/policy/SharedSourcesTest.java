package dev.longshore.engine.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SharedSourcesTest {
    private final ApiGate gate = new ApiGate(List.of(), List.of(new SharedSources("/host")));

    private String shown(String path, String answer) {
        ApiRequest request = new ApiRequest("GET", "", path, "");
        assertThat(gate.concernsAnswer(request)).isTrue();
        return gate.corrected(request, answer.replace('\'', '"').getBytes(StandardCharsets.UTF_8))
                .map(b -> new String(b, StandardCharsets.UTF_8).replace('"', '\''))
                .orElse("as it came");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/containers/json | [{'Mounts':[{'Source':'/host/a/b'},{'Source':'/run/x'}]}] | [{'Mounts':[{'Source':'/a/b'},{'Source':'/run/x'}]}]",
                "/containers/x/json | {'HostConfig':{'Binds':['/host/a:/b:ro','v:/v']}} | {'HostConfig':{'Binds':['/a:/b:ro','v:/v']}}",
                "/containers/x/json | {'HostConfig':{'Mounts':[{'Source':'/host/a'}]},'Mounts':[{'Source':'/host/a'}]} | {'HostConfig':{'Mounts':[{'Source':'/a'}]},'Mounts':[{'Source':'/a'}]}",
                "/volumes | {'Volumes':[{'Options':{'device':'/host/a'}},{'Options':null}]} | {'Volumes':[{'Options':{'device':'/a'}},{'Options':null}]}",
                "/volumes/v | {'Options':{'device':'/host/a'}} | {'Options':{'device':'/a'}}",
                "/containers/x/json | {'Mounts':[{'Source':'/host/host/a'}]} | {'Mounts':[{'Source':'/host/a'}]}",
            })
    void sharedSource_isShownAsTheHostHasIt(String path, String answer, String shown) {
        assertThat(shown(path, answer)).isEqualTo(shown);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "[]",
                "[3,{'Mounts':null}]",
                "{'Mounts':[{'Source':'/hostel'},{'Source':3},null],'HostConfig':{'Binds':[4,'/hostel:/x'],'Mounts':7}}",
            })
    void everythingElse_isLeftAlone(String answer) {
        assertThat(shown("/containers/x/json", answer)).isEqualTo("as it came");
    }

    @Test
    void otherAnswers_areNotLookedAt() {
        for (String path : List.of("/images/json", "/containers/x/logs", "/volumesque")) {
            assertThat(gate.concernsAnswer(new ApiRequest("GET", "", path, ""))).isFalse();
        }
        assertThat(gate.concernsAnswer(new ApiRequest("POST", "", "/volumes", "")))
                .isFalse();
    }
}
