package dev.longshore.packet.capture;

import dev.longshore.packet.capture.CaptureFilter.All;
import dev.longshore.packet.capture.CaptureFilter.And;
import dev.longshore.packet.capture.CaptureFilter.EtherType;
import dev.longshore.packet.capture.CaptureFilter.Net;
import dev.longshore.packet.capture.CaptureFilter.Node;
import dev.longshore.packet.capture.CaptureFilter.Not;
import dev.longshore.packet.capture.CaptureFilter.Or;
import dev.longshore.packet.capture.CaptureFilter.Ports;
import dev.longshore.packet.capture.CaptureFilter.Protocol;
import dev.longshore.packet.capture.CaptureFilter.Side;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads the text of a {@link CaptureFilter}, by recursive descent. Confined to one call. */
final class FilterParser {
    private static final int MAX_CHARACTERS = 4096;
    private static final int MAX_DEPTH = 32;
    private static final int MAX_PORT = 65_535;
    private static final Pattern TOKEN = Pattern.compile("\\s*(\\(|\\)|&&|\\|\\||!|[^\\s()&|!]+|[&|])");

    /** Words of pcap-filter(7) that a user may try. */
    private static final Set<String> KNOWN_ELSEWHERE = Set.of(
            "ether",
            "vlan",
            "mpls",
            "gateway",
            "proto",
            "broadcast",
            "multicast",
            "less",
            "greater",
            "len",
            "inbound",
            "outbound",
            "sctp",
            "rarp",
            "igmp",
            "esp",
            "ah",
            "protochain",
            "geneve",
            "vxlan",
            "link",
            "mask");

    private final List<String> tokens = new ArrayList<>();
    private int at;
    private int depth;

    FilterParser(String text) {
        if (text.length() > MAX_CHARACTERS) {
            throw new IllegalArgumentException("a filter of more than " + MAX_CHARACTERS + " characters");
        }
        Matcher m = TOKEN.matcher(text);
        while (m.lookingAt()) {
            tokens.add(m.group(1).toLowerCase(Locale.ROOT));
            m.region(m.end(), m.regionEnd());
        }
    }

    Node parse() {
        if (tokens.isEmpty()) {
            return new All();
        }
        Node node = expression();
        if (at < tokens.size()) {
            throw error(
                    peek().equals(")") ? "a ')' without its '('" : "'and' or 'or' is missing before '" + peek() + "'");
        }
        return node;
    }

    private Node expression() {
        Node left = term();
        while (true) {
            if (takes("and") || takes("&&")) {
                left = new And(left, term());
            } else if (takes("or") || takes("||")) {
                left = new Or(left, term());
            } else {
                return left;
            }
        }
    }

    private Node term() {
        if (++depth > MAX_DEPTH) {
            throw new IllegalArgumentException("a filter nested more than " + MAX_DEPTH + " deep");
        }
        Node node;
        if (takes("not") || takes("!")) {
            node = new Not(term());
        } else if (takes("(")) {
            node = expression();
            if (!takes(")")) {
                throw error("a '(' without its ')'");
            }
        } else {
            node = primitive();
        }
        depth--;
        return node;
    }

    private Node primitive() {
        String word = next();
        return switch (word) {
            case "arp" -> new EtherType(EthernetHeader.TYPE_ARP);
            case "ip" -> new EtherType(EthernetHeader.TYPE_IPV4);
            case "ip6" -> new EtherType(EthernetHeader.TYPE_IPV6);
            case "icmp" -> new And(new EtherType(EthernetHeader.TYPE_IPV4), new Protocol(IpProtocol.ICMP));
            case "icmp6" -> new And(new EtherType(EthernetHeader.TYPE_IPV6), new Protocol(IpProtocol.ICMPV6));
            case "tcp" -> withPorts(new Protocol(IpProtocol.TCP));
            case "udp" -> withPorts(new Protocol(IpProtocol.UDP));
            case "src" -> sided(Side.SOURCE, next());
            case "dst" -> sided(Side.DESTINATION, next());
            default -> sided(Side.EITHER, word);
        };
    }

    /** "tcp port 80" is "tcp and port 80"; "tcp and …" is not ours. */
    private Node withPorts(Node protocol) {
        return switch (peek()) {
            case "port", "portrange" -> new And(protocol, sided(Side.EITHER, next()));
            case "src" -> new And(protocol, ports(Side.SOURCE));
            case "dst" -> new And(protocol, ports(Side.DESTINATION));
            default -> protocol;
        };
    }

    private Node ports(Side side) {
        at++;
        String word = next();
        if (!word.equals("port") && !word.equals("portrange")) {
            throw error("after 'tcp' or 'udp' and 'src' or 'dst' comes 'port' or 'portrange', not '" + word
                    + "'; write 'tcp and src " + word + " …'");
        }
        return sided(side, word);
    }

    private Node sided(Side side, String word) {
        return switch (word) {
            case "host" -> host(side, next());
            case "net" -> net(side, next());
            case "port" -> {
                int port = port(next());
                yield new Ports(side, port, port);
            }
            case "portrange" -> portRange(side, next());
            default -> throw unknown(word);
        };
    }

    private static Node host(Side side, String word) {
        return Net.of(side, address(word), address(word).isV4() ? 32 : 128);
    }

    private static Node net(Side side, String word) {
        int slash = word.indexOf('/');
        if (slash < 0) {
            throw new IllegalArgumentException("a net is written ADDRESS/BITS, as in 10.0.0.0/8, not '" + word + "'");
        }
        IpAddress address = address(word.substring(0, slash));
        int bits = number(word.substring(slash + 1), address.isV4() ? 32 : 128, "a prefix length");
        Net net = Net.of(side, address, bits);
        if (net.hi() != address.hi() || net.lo() != address.lo()) {
            throw new IllegalArgumentException("'" + word + "' has bits set behind its prefix");
        }
        return net;
    }

    private static IpAddress address(String word) {
        try {
            return IpAddress.parse(word);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("'" + word + "' is no IP address (names are not looked up)", e);
        }
    }

    private static Node portRange(Side side, String word) {
        int dash = word.indexOf('-');
        if (dash < 0) {
            throw new IllegalArgumentException("a portrange is written FIRST-LAST, not '" + word + "'");
        }
        int first = port(word.substring(0, dash));
        int last = port(word.substring(dash + 1));
        return new Ports(side, Math.min(first, last), Math.max(first, last));
    }

    private static int port(String word) {
        return number(word, MAX_PORT, "a port number (names of services are not known)");
    }

    private static int number(String word, int max, String what) {
        if (!word.matches("[0-9]{1,5}") || Integer.parseInt(word) > max) {
            throw new IllegalArgumentException("'" + word + "' is not " + what);
        }
        return Integer.parseInt(word);
    }

    private static IllegalArgumentException unknown(String word) {
        if (KNOWN_ELSEWHERE.contains(word) || word.contains("[")) {
            return error(
                    "'" + word + "' of pcap-filter(7) is not supported here; known are: arp ip ip6 tcp udp icmp icmp6,"
                            + " [src|dst] host, net, port, portrange, and or not ( )");
        }
        boolean value = word.matches("[0-9a-f.:/-]+");
        return error(
                value
                        ? "'" + word + "' needs a word before it: host, net, port or portrange"
                        : "'" + word + "' is not a word of a filter");
    }

    private boolean takes(String word) {
        boolean is = peek().equals(word);
        if (is) {
            at++;
        }
        return is;
    }

    /** "" at the end. */
    private String peek() {
        return at < tokens.size() ? tokens.get(at) : "";
    }

    private String next() {
        if (at == tokens.size()) {
            throw error("it ends too early" + (at == 0 ? "" : ", after '" + tokens.get(at - 1) + "'"));
        }
        return tokens.get(at++);
    }

    private static IllegalArgumentException error(String what) {
        return new IllegalArgumentException(what);
    }
}
