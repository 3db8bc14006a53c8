package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The setting egressPolicy: what it takes, and what is said of what it does not. */
class EgressPolicyTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    private Path directory;

    private SettingsFiles files() {
        return new SettingsFiles(directory.resolve("settings.json"), directory.resolve("admin-settings.json"));
    }

    private SettingsResult user(String policy) throws IOException {
        Files.writeString(
                directory.resolve("settings.json"), "{\n\"egressPolicy\":\n" + policy.replace('\'', '"') + "}");
        return files().read();
    }

    private EgressPolicy policy(String text) throws IOException {
        return ((SettingsResult.Usable) user(text)).settings().egress();
    }

    private String problem(String policy) throws IOException {
        return ((SettingsResult.Refused) user(policy)).problems().getFirst().inFile();
    }

    @Test
    void withoutFiles_everythingIsAllowed() {
        assertThat(Settings.DEFAULTS.egress()).isEqualTo(EgressPolicy.NONE);
        assertThat(Settings.DEFAULTS.egress().isInactive()).isTrue();
    }

    @Test
    void everyPart_isRead_andWrittenAsItWasRead() throws IOException {
        EgressPolicy policy = policy("""
                {
                  'mode': 'dry-run',
                  'default': 'deny',
                  'rules': [
                    {'action': 'allow', 'to': 'Example.COM.'}, // a comment
                    {'name': 'all of it', 'action': 'deny', 'dryRun': true, 'log': false,
                     'from': {'container': ['web-*', 'db'], 'image': 'nginx', 'project': 'shop', 'service': 's', 'network': 'n'},
                     'to': ['10.0.0.0/8', '2001:db8::1', '*.example.com', 'host.docker.internal'],
                     'ports': [443, '8000-8100', '53'], 'protocols': ['tcp', 'udp']},
                    {'action': 'deny', 'from': 'guest', 'protocols': 'icmp'}
                  ],
                }
                """);
        assertThat(policy.mode()).isEqualTo(EgressPolicy.Mode.DRY_RUN);
        assertThat(policy.byDefault()).isEqualTo(EgressPolicy.Action.DENY);
        assertThat(policy.rules()).extracting(EgressPolicy.Rule::name).containsExactly("rule 1", "all of it", "rule 3");
        assertThat(policy.rules().get(0).to()).containsExactly(new EgressPolicy.To.Name("example.com", false));
        assertThat(policy.rules().get(0).log()).isFalse();
        assertThat(policy.rules().get(1).to())
                .containsExactly(
                        new EgressPolicy.To.Network(IpPrefix.parse("10.0.0.0/8")),
                        new EgressPolicy.To.Network(IpPrefix.parse("2001:db8::1/128")),
                        new EgressPolicy.To.Name("example.com", true),
                        new EgressPolicy.To.Host());
        assertThat(policy.rules().get(1).ports())
                .containsExactly(
                        new EgressPolicy.Ports(443, 443),
                        new EgressPolicy.Ports(8000, 8100),
                        new EgressPolicy.Ports(53, 53));
        assertThat(policy.rules().get(2).from()).isEqualTo(new EgressPolicy.From.Guest());
        assertThat(policy.rules().get(2).log()).isTrue();
        assertThat(policy(policy.toJson())).isEqualTo(policy);
    }

    @Test
    void commandLine_takesItAsJson() throws IOException {
        SettingsStore store = new SettingsStore(files());
        assertThat(store.set("egressPolicy", "{\"default\": \"deny\"}")).isInstanceOf(SettingsStore.Edit.Done.class);
        assertThat(((SettingsResult.Usable) store.read()).settings().egress().byDefault())
                .isEqualTo(EgressPolicy.Action.DENY);
        SettingsStore.Edit.Refused refused =
                (SettingsStore.Edit.Refused) store.set("egressPolicy", "{\"rules\": [{\"action\": \"never\"}]}");
        assertThat(refused.text()).isEqualTo("egressPolicy.rules[0].action: must be one of allow, deny");
        assertThat(((SettingsStore.Edit.Refused) store.set("egressPolicy", "deny")).text())
                .startsWith("egressPolicy is no JSON object");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'defalt': 'deny'}|line 3, column 12: egressPolicy: unknown key 'defalt'; did you mean default?",
                "{'default': 'drop'}|line 3, column 13: egressPolicy.default: must be one of allow, deny",
                "{'rules': {}}|line 3, column 11: egressPolicy.rules: must be a list of rules",
                "{'rules': [{}]}|line 3, column 12: egressPolicy.rules[0].action: is missing: one of allow, deny",
                "{'rules': [{'action': 'deny', 'to': []}]}|egressPolicy.rules[0].to: is empty: leave it out",
                "{'rules': [{'action': 'deny', 'to': '10.0.0.1/8'}]}|has bits behind its prefix; the network is 10.0.0.0/8",
                "{'rules': [{'action': 'deny', 'to': '10.0.0.0/33'}]}|has no prefix length from 0 to 32",
                "{'rules': [{'action': 'deny', 'to': '10.0.0.256'}]}|is no address",
                "{'rules': [{'action': 'deny', 'to': '::ffff:1.2.3.4'}]}|is an IPv4 address: write it as 1.2.3.4",
                "{'rules': [{'action': 'deny', 'to': 'a.*.example'}]}|is no network, name or *.domain",
                "{'rules': [{'action': 'deny', 'to': 'https://a.example'}]}|is no address or network",
                "{'rules': [{'action': 'deny', 'to': 'bücher.example'}]}|write it in ASCII",
                "{'rules': [{'action': 'deny', 'ports': 0}]}|egressPolicy.rules[0].ports: must be a port or a range",
                "{'rules': [{'action': 'deny', 'ports': ['9-8']}]}|egressPolicy.rules[0].ports[0]: must be a port or a range",
                "{'rules': [{'action': 'deny', 'ports': 1, 'protocols': ['icmp']}]}|pings (icmp) have no ports",
                "{'rules': [{'action': 'deny', 'protocols': ['sctp']}]}|protocols[0]: must be one of tcp, udp, icmp",
                "{'rules': [{'action': 'deny', 'from': {}}]}|names nobody: leave it out for everybody",
                "{'rules': [{'action': 'deny', 'from': 'web'}]}|must be \"guest\", or containers",
                "{'rules': [{'action': 'deny', 'from': {'containers': 'x'}}]}|unknown key 'containers'; did you mean container?",
                "{'rules': [{'action': 'deny', 'action': 'allow'}]}|rules[0].action: is given twice",
                "{'rules': [{'name': 'a', 'action': 'deny'}, {'name': 'a', 'action': 'deny'}]}|another rule is called 'a'",
                "{'locked': true, 'value': {}}|{locked, value} is for an administrator's admin-settings.json",
                "[1]|must be an object"
            })
    void whatIsWrong_isSaidWithItsPlace(String policy, String text) throws IOException {
        assertThat(problem(policy)).contains(text);
    }

    @Test
    void rulesMoreThanAllowed_areRefused() throws IOException {
        String rule = "{'action': 'deny'}";
        String rules = (rule + ",").repeat(EgressPolicy.MAX_RULES) + rule;
        assertThat(problem("{'rules': [" + rules + "]}")).contains("has more than 1000 rules");
    }

    @Test
    void lock_countsBeforeTheUser_evenIfTheUsersIsBroken() throws IOException {
        Files.writeString(
                directory.resolve("admin-settings.json"),
                "{\"egressPolicy\": {\"locked\": true, \"value\": {\"default\": \"deny\"}}}");
        SettingsResult.Usable read = (SettingsResult.Usable) user("{'default': 'nothing'}");
        assertThat(read.settings().egress().byDefault()).isEqualTo(EgressPolicy.Action.DENY);
        assertThat(read.effective().warnings()).singleElement().asString().contains("ignored: locked by");
    }

    @Test
    void lockThatCannotBeUnderstood_isAProblemOfTheWholeFile_withItsPlace() throws IOException {
        Files.writeString(
                directory.resolve("admin-settings.json"),
                "{\"egressPolicy\": {\"locked\": true, \"value\":\n {\"rules\": [{\"action\": \"dney\"}]}}}");
        assertThat(problem("{}"))
                .isEqualTo("line 2, column 24: egressPolicy.rules[0].action: must be one of allow, deny");
    }
}
