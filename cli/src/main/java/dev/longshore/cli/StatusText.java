package dev.longshore.cli;

import com.google.protobuf.Timestamp;
import dev.longshore.config.Home;
import dev.longshore.proto.control.v1.DaemonStatus;
import dev.longshore.proto.control.v1.EngineStatus;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.GuestStatus;
import dev.longshore.proto.control.v1.NetworkStatus;
import dev.longshore.proto.control.v1.SettingsStatus;
import dev.longshore.proto.control.v1.State;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** A status as text for people, and as JSON for programs. */
final class StatusText {
    private StatusText() {}

    /** What {@code status} shows when no daemon runs. */
    static GetStatusReply stopped(Home home) {
        return GetStatusReply.newBuilder()
                .setState(State.STATE_STOPPED)
                .setMessage("not running")
                .setDockerHost(home.dockerHost())
                .build();
    }

    static String word(State state) {
        return switch (state) {
            case STATE_STARTING -> "starting";
            case STATE_RUNNING -> "running";
            case STATE_STOPPING -> "stopping";
            case STATE_STOPPED -> "stopped";
            case STATE_FAILED -> "failed";
            case STATE_UNSPECIFIED, UNRECOGNIZED -> "unknown";
        };
    }

    static int exitCode(State state) {
        return switch (state) {
            case STATE_RUNNING -> ExitCode.OK;
            case STATE_STOPPED -> ExitCode.STOPPED;
            case STATE_STARTING, STATE_STOPPING -> ExitCode.CHANGING;
            case STATE_FAILED, STATE_UNSPECIFIED, UNRECOGNIZED -> ExitCode.FAILED;
        };
    }

    static String text(GetStatusReply status, Instant now) {
        StringBuilder text = new StringBuilder();
        line(text, "status", word(status.getState()));
        if (status.getState() != State.STATE_RUNNING) {
            line(text, "", status.getMessage());
        }
        line(text, "docker host", status.getDockerHost());
        if (status.hasDaemon()) {
            daemon(text, status.getDaemon(), now);
        }
        if (status.hasGuest() && status.getGuest().getPid() != 0) {
            guest(text, status.getGuest(), now);
        }
        if (status.hasEngine()) {
            line(text, "engine", engine(status.getEngine()));
        }
        if (status.hasNetwork() && !status.getNetwork().getSubnet().isEmpty()) {
            network(text, status.getNetwork());
        }
        settings(text, status.getSettings());
        return text.toString();
    }

    private static void daemon(StringBuilder text, DaemonStatus d, Instant now) {
        line(
                text,
                "daemon",
                "version " + d.getVersion() + ", pid " + d.getPid() + ", up " + ago(d.getStarted(), now) + ", "
                        + d.getResidentBytes() / (1 << 20) + " MiB resident");
        line(text, "home", d.getHome());
    }

    private static void guest(StringBuilder text, GuestStatus g, Instant now) {
        line(
                text,
                "guest",
                g.getKind() + ", pid " + g.getPid() + ", up " + ago(g.getStarted(), now) + ", " + g.getCpus() + " CPU, "
                        + g.getMemoryMib() + " MiB");
    }

    private static String engine(EngineStatus e) {
        return e.getReady() ? "Docker " + e.getVersion() + ", API " + e.getApiVersion() : "does not answer";
    }

    private static void network(StringBuilder text, NetworkStatus n) {
        line(
                text,
                "network",
                n.getSubnet() + (n.getMoved() ? " (moved: the configured one overlaps a route of the host)" : "")
                        + ", MTU " + n.getMtu() + (n.getLinkUp() ? "" : ", link down")
                        + (n.getDropped() == 0 ? "" : ", " + n.getDropped() + " packets dropped"));
        line(
                text,
                "",
                "guest " + n.getGuest() + ", gateway " + n.getGateway() + ", DNS " + n.getDns() + ", host "
                        + n.getHost());
        line(text, "proxy", n.getProxy());
        n.getProxyProblemsList().forEach(p -> line(text, "proxy", p));
        n.getPortProblemsList().forEach(p -> line(text, "ports", p));
    }

    private static void settings(StringBuilder text, SettingsStatus s) {
        s.getProblemsList().forEach(p -> line(text, "settings", "unusable, the values from before hold: " + p));
        if (s.getPendingCount() > 0) {
            line(text, "settings", "wait for longshore restart: " + String.join(", ", s.getPendingList()));
        }
        s.getWarningsList().forEach(w -> line(text, "settings", w));
    }

    private static void line(StringBuilder text, String name, String value) {
        if (!value.isEmpty()) {
            text.append(String.format(Locale.ROOT, "%-13s%s%n", name, value));
        }
    }

    private static String ago(Timestamp since, Instant now) {
        Duration d = Duration.between(instant(since), now);
        if (d.toHours() > 0) {
            return d.toHours() + " h " + d.toMinutesPart() + " min";
        }
        return d.toMinutes() > 0 ? d.toMinutes() + " min " + d.toSecondsPart() + " s" : d.toSeconds() + " s";
    }

    static String json(GetStatusReply s) {
        Map<String, Object> top = new LinkedHashMap<>();
        top.put("status", word(s.getState()));
        top.put("message", s.getMessage());
        top.put("dockerHost", s.getDockerHost());
        top.put("daemon", daemonJson(s.getDaemon()));
        top.put("guest", guestJson(s.getGuest()));
        top.put("engine", engineJson(s.getEngine()));
        top.put("network", networkJson(s.getNetwork()));
        top.put("settings", settingsJson(s.getSettings()));
        return JsonMapper.builder()
                .enable(SerializationFeature.INDENT_OUTPUT)
                .build()
                .writeValueAsString(top);
    }

    private static Map<String, Object> daemonJson(DaemonStatus d) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("running", d.getPid() != 0);
        json.put("pid", d.getPid());
        json.put("version", d.getVersion());
        json.put("started", time(d.getStarted()));
        json.put("home", d.getHome());
        json.put("residentBytes", d.getResidentBytes());
        return json;
    }

    private static Map<String, Object> guestJson(GuestStatus g) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("running", g.getPid() != 0);
        json.put("kind", g.getKind());
        json.put("pid", g.getPid());
        json.put("started", time(g.getStarted()));
        json.put("cpus", g.getCpus());
        json.put("memoryMiB", g.getMemoryMib());
        json.put("agentReady", g.getAgentReady());
        return json;
    }

    private static Map<String, Object> engineJson(EngineStatus e) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("ready", e.getReady());
        json.put("version", e.getVersion());
        json.put("apiVersion", e.getApiVersion());
        return json;
    }

    private static Map<String, Object> networkJson(NetworkStatus n) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("subnet", n.getSubnet());
        json.put("moved", n.getMoved());
        json.put("gateway", n.getGateway());
        json.put("guest", n.getGuest());
        json.put("dns", n.getDns());
        json.put("host", n.getHost());
        json.put("mtu", n.getMtu());
        json.put("linkUp", n.getLinkUp());
        json.put("dropped", n.getDropped());
        json.put("portProblems", List.copyOf(n.getPortProblemsList()));
        json.put("proxy", n.getProxy());
        json.put("proxyProblems", List.copyOf(n.getProxyProblemsList()));
        return json;
    }

    private static Map<String, Object> settingsJson(SettingsStatus s) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("problems", List.copyOf(s.getProblemsList()));
        json.put("warnings", List.copyOf(s.getWarningsList()));
        json.put("pending", List.copyOf(s.getPendingList()));
        return json;
    }

    /** ISO 8601; empty if there is none. */
    private static String time(Timestamp t) {
        return t.equals(Timestamp.getDefaultInstance()) ? "" : instant(t).toString();
    }

    private static Instant instant(Timestamp t) {
        return Instant.ofEpochSecond(t.getSeconds(), t.getNanos());
    }
}
