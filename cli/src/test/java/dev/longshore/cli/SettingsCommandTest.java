package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.cli.docker.DockerDirectory;
import dev.longshore.config.Home;
import dev.longshore.config.SettingTable;
import dev.longshore.config.SettingsFiles;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code longshore settings} where no daemon runs: by the files. */
class SettingsCommandTest {
    private StringWriter out = new StringWriter();
    private StringWriter err = new StringWriter();

    @TempDir
    private Path directory;

    @Test
    void list_showsEverySettingWithItsSource() throws Exception {
        Files.writeString(
                user(), "{\"Cpus\": 3, \"network\": {\"dnsServers\": [\"::1\", \"10.0.0.1\"]}, \"colour\": 1}");
        Files.writeString(admin(), "{\"vpnKitMTU\": {\"locked\": true, \"value\": 9000}}");

        assertThat(run("settings", "list")).isZero();

        assertThat(out.toString().lines()).hasSize(1 + SettingTable.ALL.size());
        assertThat(out.toString())
                .containsPattern("cpus +3 +user +guest restart")
                .containsPattern("network.dnsServers +::1,10.0.0.1 +user")
                .containsPattern("vpnKitMTU +9000 +admin, locked +guest restart")
                .containsPattern("swapMiB +0 +default +not yet");
        assertThat(err.toString()).contains("colour: unknown key");
    }

    @Test
    void listAsJson_hasValueDefaultSourceAndLock() throws Exception {
        Files.writeString(admin(), "{\"vpnKitMTU\": {\"locked\": true, \"value\": 9000}}");

        assertThat(run("settings", "--format", "json")).isEqualTo(ExitCode.USAGE);
        assertThat(run("settings", "list", "--format", "json")).isZero();

        JsonNode all = new JsonMapper().readTree(out.toString());
        assertThat(all.size()).isEqualTo(SettingTable.ALL.size());
        assertThat(run("settings", "get", "network.mtu", "--format", "json")).isZero();
        JsonNode mtu = new JsonMapper().readTree(out.toString());
        assertThat(mtu.get("key").asString()).isEqualTo("vpnKitMTU");
        assertThat(mtu.get("value").asInt()).isEqualTo(9000);
        assertThat(mtu.get("default").asInt()).isEqualTo(1500);
        assertThat(mtu.get("source").asString()).isEqualTo("admin");
        assertThat(mtu.get("locked").asBoolean()).isTrue();
        assertThat(mtu.get("lockedBy").asString()).isEqualTo(admin().toString());
    }

    @Test
    void setGetUnset_changeTheFile_andSayWhenItCounts() {
        assertThat(run("settings", "set", "portBindingBehavior", "local-only-port-binding"))
                .isZero();
        assertThat(out.toString()).isEqualTo("portBindingBehavior = local-only-port-binding\n");
        assertThat(err.toString()).contains("takes effect at once");
        assertThat(run("settings", "get", "ports.binding")).isZero();
        assertThat(out.toString()).isEqualTo("local-only-port-binding\n");
        assertThat(run("settings", "set", "memoryMiB", "2048")).isZero();
        assertThat(err.toString()).contains("takes effect at the next start of the guest");
        assertThat(run("settings", "set", "swapMiB", "512")).isZero();
        assertThat(err.toString()).contains("accepted, has no effect yet");
        assertThat(run("settings", "unset", "PortBindingBehavior")).isZero();
        assertThat(out.toString()).isEqualTo("portBindingBehavior = default-port-binding\n");
        assertThat(user()).content().doesNotContain("ortBinding").contains("\"memoryMiB\": 2048");
    }

    @Test
    void anotherMode_saysThatTheFilterWasReset() {
        assertThat(run("settings", "set", "dnsInhibition", "ipv6")).isZero();
        assertThat(run("settings", "set", "defaultNetworkingMode", "ipv4only")).isZero();

        assertThat(out.toString()).isEqualTo("defaultNetworkingMode = ipv4only\ndnsInhibition = auto\n");
        assertThat(err.toString()).contains("dnsInhibition was reset to auto");
    }

    @Test
    void lockedKey_isRefused_withTheAdministratorsFile() throws Exception {
        Files.writeString(admin(), "{\"dnsInhibition\": {\"locked\": true, \"value\": \"none\"}}");

        assertThat(run("settings", "set", "dnsInhibition", "auto")).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString()).contains("dnsInhibition is locked by your administrator in " + admin());
        assertThat(run("settings", "unset", "dnsInhibition")).isEqualTo(ExitCode.FAILED);
        assertThat(user()).doesNotExist();
    }

    @Test
    void wrongKeysAndValues_areWrongArguments() {
        assertThat(run("settings", "get", "mtu")).isEqualTo(ExitCode.USAGE);
        assertThat(run("settings", "set", "dnsInhibitions", "auto")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("there is no setting dnsInhibitions; did you mean dnsInhibition?");
        assertThat(run("settings", "set", "dnsInhibition", "some")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("must be one of auto, ipv4, ipv6, none");
        assertThat(run("settings", "set", "exposeDockerAPIOnTCP2375", "true")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("not supported");
        assertThat(run("settings", "set", "dnsInhibition")).isEqualTo(ExitCode.USAGE);
    }

    @Test
    void malformedFile_isAFailure_andLeftAlone() throws Exception {
        Files.writeString(user(), "{\"cpus\": 1");

        assertThat(run("settings", "list")).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString()).contains(user() + ": line 1, column 11: not JSON");
        assertThat(run("settings", "set", "cpus", "2")).isEqualTo(ExitCode.FAILED);
        assertThat(user()).hasContent("{\"cpus\": 1");
    }

    @Test
    void password_isShownNowhere() {
        assertThat(run("settings", "set", "proxy.http", "http://u:hunter2@proxy:3128"))
                .isZero();
        assertThat(out + err.toString()).contains("http://u:***@proxy:3128").doesNotContain("hunter2");
        for (String[] line : new String[][] {
            {"list"}, {"list", "--format", "json"}, {"get", "proxy.http"}, {"get", "proxy.http", "--format", "json"}
        }) {
            String[] all = new String[line.length + 1];
            all[0] = "settings";
            System.arraycopy(line, 0, all, 1, line.length);
            assertThat(run(all)).isZero();
            assertThat(out + err.toString()).doesNotContain("hunter2");
        }
        assertThat(run("settings", "set", "proxy.http", "http://u:***@proxy:3128"))
                .isEqualTo(ExitCode.USAGE);
    }

    @Test
    void schema_isPrinted() {
        assertThat(run("settings", "schema")).isZero();
        assertThat(new JsonMapper().readTree(out.toString()).has("$schema")).isTrue();
        assertThat(run("settings", "schema", "--admin")).isZero();
        assertThat(out.toString()).contains("configurationFileVersion");
    }

    private Path user() {
        return directory.resolve("settings.json");
    }

    private Path admin() {
        return directory.resolve("admin-settings.json");
    }

    /** What it writes is in {@code out} and {@code err} until the next run. */
    private int run(String... arguments) {
        out = new StringWriter();
        err = new StringWriter();
        Home home = Home.at(directory, directory.resolve("cache"));
        Terminal terminal = new Terminal(new PrintWriter(out), new PrintWriter(err), false);
        int status = LongshoreCommand.commandLine(new Context(
                        home,
                        new SettingsFiles(user(), admin()),
                        new DockerDirectory(home.state()),
                        terminal,
                        new DaemonLauncher(home, "")))
                .execute(arguments);
        terminal.out().flush();
        terminal.err().flush();
        return status;
    }
}
