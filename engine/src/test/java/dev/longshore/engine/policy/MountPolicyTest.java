package dev.longshore.engine.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MountPolicyTest {
    private static final Path API_SOCKET = Path.of("/home/u/run/docker.sock");

    private final ApiGate gate =
            new ApiGate(List.of(new MountPolicy(List.of(new GuestPaths(API_SOCKET)), () -> "Advice.")), List.of());

    private ApiRuling post(String path, String body) {
        ApiRequest request = new ApiRequest("POST", "", path, "");
        assertThat(gate.concerns(request)).isTrue();
        return gate.judge(request, body.replace('\'', '"').getBytes(StandardCharsets.UTF_8))
                .toCompletableFuture()
                .join();
    }

    private static String changed(ApiRuling ruling) {
        return ruling instanceof ApiRuling.WithBody b
                ? new String(b.json(), StandardCharsets.UTF_8).replace('"', '\'')
                : ruling.toString();
    }

    private static void assertDenied(ApiRuling ruling, String path) {
        assertThat(ruling).isInstanceOfSatisfying(ApiRuling.Refusal.class, r -> {
            assertThat(r.status()).isEqualTo(500);
            assertThat(r.message())
                    .startsWith("Mounts denied: \nThe path " + path
                            + " is not shared from the host and is not known to Docker.\n");
        });
    }

    @Test
    void onlyRequestsThatMount_areLookedAt() {
        MountPolicy policy = new MountPolicy(List.of(), () -> "Advice.");
        assertThat(policy.concerns(new ApiRequest("POST", "", "/services/x/update", "")))
                .isTrue();
        assertThat(policy.concerns(new ApiRequest("GET", "", "/containers/create", "")))
                .isFalse();
        assertThat(policy.concerns(new ApiRequest("POST", "", "/containers/x/start", "")))
                .isFalse();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/containers/create   | {'HostConfig':{'Binds':['v:/v','/home/u/x:/x:ro']}}           | /home/u/x",
                "/containers/create   | {'HostConfig':{'Binds':['/home/u/../u/./x//:/x']}}            | /home/u/x",
                "/containers/create   | {'hostconfig':{'bindſ':['/etc:/x']}}                          | /etc",
                "/containers/create   | {'Binds':['/:/host']}                                         | /",
                "/containers/create   | {'HostConfig':{'Mounts':[{'Type':'bind','Source':'/a','Target':'/b'}]}} | /a",
                "/containers/create   | {'HostConfig':{'Mounts':[{'Type':'volume','VolumeOptions':{'DriverConfig':"
                        + "{'Options':{'type':'none','o':'ro,rbind','device':'/a'}}}}]}} | /a",
                "/volumes/create      | {'Driver':'local','DriverOpts':{'type':'none','o':'bind','device':'/a'}} | /a",
                "/services/create     | {'TaskTemplate':{'ContainerSpec':{'Mounts':[{'type':'bind','source':'/a'}]}}} | /a",
                "/services/abc/update | {'TaskTemplate':{'ContainerSpec':{'Mounts':[{'Type':'bind','Source':'/a'}]}}} | /a",
            })
    void hostPath_isDeniedInDockerDesktopsWords(String path, String body, String denied) {
        assertDenied(post(path, body), denied);
    }

    @Test
    void withheldPath_isDeniedWithTheReason() {
        BindSources own =
                (path, ifMissing) -> CompletableFuture.completedStage(new BindSource.Withheld(path + " is mine."));
        ApiRuling ruling = new ApiGate(List.of(new MountPolicy(List.of(own), () -> "Advice.")), List.of())
                .judge(
                        new ApiRequest("POST", "", "/containers/create", ""),
                        "{\"HostConfig\":{\"Binds\":[\"/a:/1\"]}}".getBytes(StandardCharsets.UTF_8))
                .toCompletableFuture()
                .join();
        assertThat(ruling).isInstanceOfSatisfying(ApiRuling.Refusal.class, r -> assertThat(r.message())
                .isEqualTo("Mounts denied: \nThe path /a is not shared from the host and is not known to Docker.\n"
                        + "/a is mine.\nAdvice."));
    }

    @Test
    void severalHostPaths_areAllNamedOnce() {
        ApiRuling ruling = post("/containers/create", "{'HostConfig':{'Binds':['/a:/1','/b:/2','/a:/3']}}");
        assertThat(ruling).isInstanceOfSatisfying(ApiRuling.Refusal.class, r -> assertThat(r.message())
                .startsWith("Mounts denied: \nThe path /a is not shared from the host and is not known to Docker.\n"
                        + "The path /b is not shared from the host and is not known to Docker.\nAdvice."));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{'HostConfig':null}",
                "{'HostConfig':{'Binds':null,'Mounts':null}}",
                "{'HostConfig':{'Binds':['name:/v','/anonymous']}}",
                "{'HostConfig':{'Binds':['/var/run/docker.sock:/var/run/docker.sock','/run/docker.sock:/s']}}",
                "{'HostConfig':{'Binds':['/run/host-services/ssh-auth.sock:/agent.sock']}}",
                "{'HostConfig':{'Binds':['/sys/fs/cgroup:/sys/fs/cgroup:ro','/lib/modules:/lib/modules','/var/run:/r',"
                        + "'/proc:/p','/dev:/dev','/var/lib/docker/containers:/c:ro']}}",
                "{'HostConfig':{'Mounts':[{'Type':'volume','Source':'/x','Target':'/t'},{'Type':'tmpfs'},3,null]}}",
                "{'HostConfig':{'Mounts':[{'Type':'bind','Source':'relative'}]}}",
                "{'HostConfig':{'Binds':'not an array'}}",
                "{'Unknown':{'Binds':['/home:/x']}}",
            })
    void volumesAndTheGuestsOwnPaths_pass(String body) {
        assertThat(post("/containers/create", body)).isEqualTo(new ApiRuling.AsItCame());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'Name':'v'}",
                "{'Driver':'local','DriverOpts':{'type':'nfs','o':'addr=1.2.3.4','device':':/x'}}",
                "{'Driver':'local','DriverOpts':{'type':'tmpfs','device':'tmpfs'}}",
                "{'Driver':'other','DriverOpts':{'o':'bind','device':'/x'}}",
                "{'DriverOpts':{'o':'bind','device':'/var/lib/docker/x'}}",
            })
    void otherVolumes_pass(String body) {
        assertThat(post("/volumes/create", body)).isEqualTo(new ApiRuling.AsItCame());
    }

    @Test
    void pathsThatOnlyBeginLikeTheGuests_areDenied() {
        assertDenied(post("/containers/create", "{'HostConfig':{'Binds':['/devel:/x']}}"), "/devel");
        assertDenied(post("/containers/create", "{'HostConfig':{'Binds':['/run/user/0/x:/x']}}"), "/run/user/0/x");
        assertDenied(post("/containers/create", "{'HostConfig':{'Binds':['/dev/../etc:/x']}}"), "/etc");
    }

    @Test
    void ourOwnSocket_becomesTheEngines() {
        assertThat(changed(post(
                        "/containers/create",
                        "{'Image':'ryuk','HostConfig':{'Binds':['/home/u/run/docker.sock:/var/run/docker.sock:rw'],"
                                + "'Memory':9007199254740993},'Extra':[1.50]}")))
                .isEqualTo("{'Image':'ryuk','HostConfig':{'Binds':['/run/docker.sock:/var/run/docker.sock:rw'],"
                        + "'Memory':9007199254740993},'Extra':[1.50]}");
        assertThat(
                        changed(
                                post(
                                        "/containers/create",
                                        "{'HostConfig':{'Mounts':[{'Type':'bind','source':'/home/u/run/docker.sock','Target':'/s'}]}}")))
                .isEqualTo("{'HostConfig':{'Mounts':[{'Type':'bind','source':'/run/docker.sock','Target':'/s'}]}}");
    }

    @Test
    void oneMemberInTwoSpellings_isRefused() {
        assertThat(post("/containers/create", "{'HostConfig':{'Binds':[],'binds':['/etc:/x']}}"))
                .isEqualTo(new ApiRuling.Refusal(400, "the request's JSON has the member Binds twice"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "CREATE | /containers/create | {'HostConfig':{'Binds':['/src:/x']}}",
                "REFUSE | /containers/create | {'HostConfig':{'Mounts':[{'Type':'bind','Source':'/src'}]}}",
                "REFUSE | /containers/create | {'HostConfig':{'Mounts':[{'Type':'bind','Source':'/src','BindOptions':"
                        + "{'CreateMountpoint':false}}]}}",
                "CREATE | /containers/create | {'HostConfig':{'Mounts':[{'Type':'bind','Source':'/src','bindOptions':"
                        + "{'createMountpoint':true}}]}}",
                "REFUSE | /services/create | {'TaskTemplate':{'ContainerSpec':{'Mounts':[{'Type':'bind','Source':'/src'}]}}}",
                "LEAVE  | /volumes/create | {'DriverOpts':{'type':'none','o':'bind','device':'/src'}}",
            })
    void whatHappensIfNothingIsThere_dependsOnHowItIsMounted(BindSources.IfMissing expected, String path, String body) {
        List<BindSources.IfMissing> asked = new ArrayList<>();
        ApiGate recording = gate((p, missing) -> {
            asked.add(missing);
            return CompletableFuture.completedStage(new BindSource.InGuest("/host/src"));
        });

        String ruling = changed(recording
                .judge(
                        new ApiRequest("POST", "", path, ""),
                        body.replace('\'', '"').getBytes(StandardCharsets.UTF_8))
                .toCompletableFuture()
                .join());

        assertThat(asked).containsExactly(expected);
        assertThat(ruling).contains("'/host/src");
    }

    private static ApiGate gate(BindSources sources) {
        return new ApiGate(List.of(new MountPolicy(List.of(sources), () -> "Advice.")), List.of());
    }

    private static ApiRuling bind(BindSource source) {
        return gate((path, missing) -> CompletableFuture.completedStage(source))
                .judge(
                        new ApiRequest("POST", "", "/containers/create", ""),
                        "{\"HostConfig\":{\"Binds\":[\"/link:/x\"]}}".getBytes(StandardCharsets.UTF_8))
                .toCompletableFuture()
                .join();
    }

    @Test
    void linkThatLeadsOut_isDeniedByName() {
        assertDenied(bind(new BindSource.Denied("/etc")), "/link, which leads to /etc,");
    }

    @Test
    void sourceThatCannotBeMounted_isRefusedWithItsReason() {
        assertThat(bind(new BindSource.Unusable(400, "no"))).isEqualTo(new ApiRuling.Refusal(400, "no"));
    }

    @Test
    void sources_areAskedInOrderAndMayTakeTheirTime() {
        CompletableFuture<BindSource> later = new CompletableFuture<>();
        ApiGate slow = new ApiGate(
                List.of(new MountPolicy(
                        List.of(
                                (path, missing) -> CompletableFuture.completedStage(BindSource.UNKNOWN),
                                (path, missing) -> later),
                        () -> "Advice.")),
                List.of());
        CompletableFuture<ApiRuling> ruling = slow.judge(
                        new ApiRequest("POST", "", "/containers/create", ""),
                        "{\"HostConfig\":{\"Binds\":[\"/src:/x\"]}}".getBytes(StandardCharsets.UTF_8))
                .toCompletableFuture();
        assertThat(ruling).isNotDone();
        later.complete(new BindSource.InGuest("/shares/1/src"));
        assertThat(changed(ruling.join())).isEqualTo("{'HostConfig':{'Binds':['/shares/1/src:/x']}}");
    }
}
