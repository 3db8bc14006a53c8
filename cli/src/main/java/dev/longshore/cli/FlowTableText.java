package dev.longshore.cli;

import com.google.protobuf.Timestamp;
import dev.longshore.proto.control.v1.Flow;
import dev.longshore.proto.control.v1.FlowChange;
import dev.longshore.proto.control.v1.FlowContainer;
import dev.longshore.proto.control.v1.FlowOpener;
import dev.longshore.proto.control.v1.FlowProtocol;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/** Flows as a table for people, and as JSON for programs. Confined to the command's thread. */
final class FlowTableText {
    private static final int OWNER_COLUMN = 18;

    private final Instant now;
    private final List<Row> rows = new ArrayList<>();

    /** One flow and how fast it is, in bytes per second; -1 where that is not known. Immutable. */
    record Row(Flow flow, double fromGuestRate, double toGuestRate) {}

    FlowTableText(Instant now) {
        this.now = now;
    }

    void add(Flow flow) {
        add(new Row(flow, -1, -1));
    }

    void add(Row row) {
        rows.add(row);
    }

    /** The fastest first, then those with most bytes, then the youngest: a heading and at most {@code limit} flows. */
    List<String> lines(int limit) {
        boolean rates = rows.stream().anyMatch(r -> r.fromGuestRate >= 0);
        rows.sort(Comparator.comparingDouble((Row r) -> -Math.max(0, r.fromGuestRate) - Math.max(0, r.toGuestRate))
                .thenComparingLong(r -> -r.flow.getBytesFromGuest() - r.flow.getBytesToGuest())
                .thenComparingLong(r -> -r.flow.getOpened().getSeconds()));
        List<String> lines = new ArrayList<>();
        lines.add(line(
                "PROTO",
                "CONTAINER",
                "GUEST",
                "",
                "REMOTE",
                "STATE",
                "SENT",
                "RECEIVED",
                rates ? "RATE" : "",
                "RTT",
                "RETR",
                "AGE"));
        rows.stream().limit(limit).map(r -> text(r, rates)).forEach(lines::add);
        if (rows.size() > limit) {
            lines.add("… and " + (rows.size() - limit) + " more");
        }
        return lines;
    }

    private String text(Row r, boolean rates) {
        Flow f = r.flow;
        return line(
                word(f.getProtocol()),
                owner(f),
                PortSpec.text(f.getGuest()),
                f.getOpener() == FlowOpener.FLOW_OPENER_HOST ? "<" : ">",
                PortSpec.text(f.getRemote()),
                f.getState().toLowerCase(Locale.ROOT),
                bytes(f.getBytesFromGuest()),
                bytes(f.getBytesToGuest()),
                rates ? bytes((long) (Math.max(0, r.fromGuestRate) + Math.max(0, r.toGuestRate))) + "/s" : "",
                f.hasSmoothedRttMicros() ? micros(f.getSmoothedRttMicros()) : "-",
                Long.toString(f.getRetransmissions()),
                age(f.getOpened()));
    }

    private static String line(
            String protocol,
            String container,
            String guest,
            String arrow,
            String remote,
            String state,
            String sent,
            String received,
            String rate,
            String rtt,
            String retransmissions,
            String age) {
        return String.format(
                        Locale.ROOT,
                        "%-5s %-18s %-22s %1s %-28s %-12s %9s %9s %11s %8s %5s %s",
                        protocol,
                        container,
                        guest,
                        arrow,
                        remote,
                        state,
                        sent,
                        received,
                        rate,
                        rtt,
                        retransmissions,
                        age)
                .stripTrailing();
    }

    /** Docker's names may be longer than any column. */
    static String owner(Flow f) {
        if (f.getOfGuestItself()) {
            return "(guest)";
        }
        String name = f.hasOwner() ? f.getOwner() : "-";
        return name.length() <= OWNER_COLUMN ? name : name.substring(0, OWNER_COLUMN - 1) + "…";
    }

    static String bytes(long n) {
        if (n < 1000) {
            return n + " B";
        }
        double value = n;
        String units = "kMGTPE";
        int unit = -1;
        while (value >= 999.5) {
            value /= 1000;
            unit++;
        }
        return String.format(Locale.ROOT, value < 9.95 ? "%.1f %cB" : "%.0f %cB", value, units.charAt(unit));
    }

    private static String micros(long n) {
        return n < 10_000 ? n + " µs" : n / 1000 + " ms";
    }

    private String age(Timestamp opened) {
        Duration d = Duration.between(instant(opened), now);
        if (d.isNegative()) {
            return "0 s";
        }
        return d.toHours() > 0 ? d.toHours() + " h" : d.toMinutes() > 0 ? d.toMinutes() + " min" : d.toSeconds() + " s";
    }

    private static Instant instant(Timestamp t) {
        return Instant.ofEpochSecond(t.getSeconds(), t.getNanos());
    }

    static String word(FlowProtocol protocol) {
        return switch (protocol) {
            case FLOW_PROTOCOL_TCP -> "tcp";
            case FLOW_PROTOCOL_UDP -> "udp";
            case FLOW_PROTOCOL_ICMP -> "icmp";
            case FLOW_PROTOCOL_UNSPECIFIED, UNRECOGNIZED -> "?";
        };
    }

    static String word(FlowChange.Kind kind) {
        return switch (kind) {
            case KIND_OPENED -> "opened";
            case KIND_CHANGED -> "changed";
            case KIND_ENDED -> "ended";
            case KIND_UNSPECIFIED, UNRECOGNIZED -> "?";
        };
    }

    private static Map<String, Object> container(FlowContainer c) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("id", c.getId());
        json.put("name", c.getName());
        json.put("image", c.getImage());
        if (c.hasProject()) {
            json.put("project", c.getProject());
        }
        if (c.hasService()) {
            json.put("service", c.getService());
        }
        json.put("networks", c.getNetworksList());
        return json;
    }

    /** One line. {@code change}: "" for none. */
    static String json(String change, Flow f) {
        Map<String, Object> json = new LinkedHashMap<>();
        if (!change.isEmpty()) {
            json.put("change", change);
        }
        json.put("protocol", word(f.getProtocol()));
        json.put("guestAddress", f.getGuest().getAddress());
        json.put("guestPort", f.getGuest().getPort());
        json.put("remoteAddress", f.getRemote().getAddress());
        json.put("remotePort", f.getRemote().getPort());
        if (f.hasHost()) {
            json.put("hostAddress", f.getHost().getAddress());
            json.put("hostPort", f.getHost().getPort());
        }
        json.put("openedBy", f.getOpener() == FlowOpener.FLOW_OPENER_HOST ? "host" : "guest");
        json.put("state", f.getState());
        json.put("bytesFromGuest", f.getBytesFromGuest());
        json.put("bytesToGuest", f.getBytesToGuest());
        json.put("retransmissions", f.getRetransmissions());
        if (f.hasSmoothedRttMicros()) {
            json.put("smoothedRttMicros", f.getSmoothedRttMicros());
        }
        json.put("queuedToGuest", f.getQueuedToGuest());
        json.put("ofGuestItself", f.getOfGuestItself());
        if (f.hasContainer()) {
            json.put("container", container(f.getContainer()));
        }
        json.put("opened", instant(f.getOpened()).toString());
        return JsonMapper.shared().writeValueAsString(json);
    }
}
