package dev.longshore.cli;

import dev.longshore.proto.control.v1.FlowFilter;
import dev.longshore.proto.control.v1.FlowOpener;
import dev.longshore.proto.control.v1.FlowProtocol;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;

/** A filter of flows as the user writes it. */
final class FlowWords {
    private FlowWords() {}

    static FlowFilter parse(List<String> arguments) {
        FlowFilter.Builder filter = FlowFilter.newBuilder();
        Iterator<String> words =
                List.of(String.join(" ", arguments).strip().split("\\s+", -1)).iterator();
        while (words.hasNext()) {
            String word = words.next().toLowerCase(Locale.ROOT);
            switch (word) {
                case "" -> {
                    // No filter at all.
                }
                case "and" -> {
                    // What happens anyway.
                }
                case "tcp" -> filter.addProtocols(FlowProtocol.FLOW_PROTOCOL_TCP);
                case "udp" -> filter.addProtocols(FlowProtocol.FLOW_PROTOCOL_UDP);
                case "icmp" -> filter.addProtocols(FlowProtocol.FLOW_PROTOCOL_ICMP);
                case "host" -> filter.setAddress(value(word, words));
                case "port" -> filter.setPort(port(value(word, words)));
                case "state" -> filter.addStates(value(word, words));
                case "by" -> filter.setOpener(opener(value(word, words)));
                default ->
                    throw CliException.wrongArguments(
                            "'" + word
                                    + "' is not a word of a filter: tcp, udp, icmp, host ADDRESS, port NUMBER, state STATE, by guest|host");
            }
        }
        return filter.build();
    }

    private static String value(String word, Iterator<String> words) {
        if (!words.hasNext()) {
            throw CliException.wrongArguments("something is missing after '" + word + "'");
        }
        return words.next();
    }

    private static int port(String text) {
        if (!text.matches("[0-9]{1,5}") || Integer.parseInt(text) < 1 || Integer.parseInt(text) > 65_535) {
            throw CliException.wrongArguments("'" + text + "' is not a port number");
        }
        return Integer.parseInt(text);
    }

    private static FlowOpener opener(String text) {
        return switch (text) {
            case "guest" -> FlowOpener.FLOW_OPENER_GUEST;
            case "host" -> FlowOpener.FLOW_OPENER_HOST;
            default -> throw CliException.wrongArguments("after 'by' comes 'guest' or 'host', not '" + text + "'");
        };
    }
}
