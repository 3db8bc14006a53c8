package dev.longshore.engine.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.engine.http.BadMessage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ApiRequestTest {
    @ParameterizedTest
    @CsvSource({
        "/containers/create,                        '',   /containers/create",
        "/v1.24/containers/create,                  1.24, /containers/create",
        "/v1.45/containers/create?name=x,           1.45, /containers/create",
        "/v1.45/containers/create/,                 1.45, /containers/create",
        "//v1.45//containers/./x/../create,         1.45, /containers/create",
        "/%63ontainers%2Fcreate,                    '',   /containers/create",
        "/%76%31.45/containers/create,              1.45, /containers/create",
        "http://docker/v1.45/containers/create,     1.45, /containers/create",
        "unix://x:1/containers/create?a/b,          '',   /containers/create",
        "http://docker,                             '',   /",
        "/v1.45,                                    '',   /v1.45",
        "/version,                                  '',   /version",
        "/vx/containers/create,                     '',   /vx/containers/create",
        "/containers/create#x,                      '',   /containers/create#x",
        "*,                                         '',   /*",
        "/%C3%A4,                                   '',   /ä",
    })
    void target_isReadAsTheEnginesRouterDoes(String target, String version, String path) throws BadMessage {
        ApiRequest request = ApiRequest.of("POST", target);
        assertThat(request.path()).isEqualTo(path);
        assertThat(request.version()).isEqualTo(version);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "containers/create",
                "http:/containers/create",
                "http:containers/create",
                "1http://x/containers/create",
                "//%zz",
                "/%6",
                "/%",
                "?x",
            })
    void otherTargets_areRefused(String target) {
        assertThatThrownBy(() -> ApiRequest.of("POST", target)).isInstanceOf(BadMessage.class);
    }

    @Test
    void query_isKeptAsItIs() throws BadMessage {
        assertThat(ApiRequest.of("GET", "/events?a=%20&b=?").query()).isEqualTo("a=%20&b=?");
    }

    @Test
    void posts_matchesRoutesWithNames() throws BadMessage {
        assertThat(ApiRequest.of("POST", "/v1.45/containers/x/attach").posts("/containers/", "/attach"))
                .isTrue();
        assertThat(ApiRequest.of("POST", "/containers/attach").posts("/containers/", "/attach"))
                .isFalse();
        assertThat(ApiRequest.of("GET", "/containers/x/attach").posts("/containers/", "/attach"))
                .isFalse();
        assertThat(ApiRequest.of("post", "/containers/create").posts("/containers/create"))
                .isFalse();
    }
}
