package dev.longshore.backend;

import dev.longshore.config.DomainServer;
import dev.longshore.config.EffectiveSettings;
import dev.longshore.config.Ipv4Subnet;
import dev.longshore.config.Setting;
import dev.longshore.config.SettingTable;
import dev.longshore.config.Settings;
import dev.longshore.control.Ports;
import dev.longshore.linux.Linux;
import dev.longshore.linux.Tap;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The arguments of {@code longshore net}. Immutable. */
sealed interface NetOptions {
    /** Asked for. */
    record Help(String text) implements NetOptions {}

    /** With the reason for the user. */
    record Wrong(String text) implements NetOptions {}

    /**
     * What to run.
     *
     * @param link what carries the guest's frames
     * @param settings what an administrator says, with the network as wanted; the subnet may still move if the user has not
     *     named it
     * @param publish ports of the host that lead to the guest
     * @param control where the control socket is to be, or null for none
     * @param faults the share of frames to lose, damage or double on purpose, 0 to 1
     */
    record Usable(
            LinkChoice link,
            Settings settings,
            List<Publish> publish,
            @Nullable Path control,
            double faults) implements NetOptions {
        Settings.Network network() {
            return settings.network();
        }
    }

    /**
     * One port of the host.
     *
     * @param hostAddress an address literal, or empty for all
     */
    record Publish(Ports.Protocol protocol, String hostAddress, int hostPort, int guestPort) {}

    /** What carries the guest's frames; {@code toString} is for the user. */
    sealed interface LinkChoice {
        /**
         * A TAP device.
         *
         * @param namespace as the user wrote it, or null for our own
         * @param configure whether the guest's address and route are set on it
         */
        record TapDevice(String name, @Nullable String namespace, boolean configure) implements LinkChoice {
            @Override
            public String toString() {
                return namespace == null ? "TAP " + name : "TAP " + name + " in " + namespace;
            }
        }

        /** A stream socket that QEMU connects to. */
        record Qemu(Path path) implements LinkChoice {
            @Override
            public String toString() {
                return "QEMU stream " + path;
            }
        }

        /** A datagram socket for vfkit and libkrun. */
        record Vfkit(Path path) implements LinkChoice {
            @Override
            public String toString() {
                return "vfkit " + path;
            }
        }

        /**
         * A vhost-user socket that the guest's machine connects to.
         *
         * @param offersConfig the card's address and MTU come from us, as User-mode Linux wants it; QEMU brings its own, and
         *     has several pairs of queues and packed rings in exchange
         */
        record VhostUser(Path path, boolean offersConfig) implements LinkChoice {
            @Override
            public String toString() {
                return "vhost-user " + path;
            }
        }
    }

    /** The text of {@code --help}. */
    String USAGE = """
            Usage: longshore net LINK [options]
            Runs only the network, in the foreground, for a guest of your own. Says "ready" on standard error; ends
            at SIGTERM and SIGINT, and if the link's device is removed.

            LINK, exactly one:
              --tap NAME[@NETNS]   a TAP device, made if there is none; NETNS is a name of ip-netns, a path such
                                   as /proc/123/ns/net, or the id of a process
              --vhost-user PATH    a vhost-user socket; QEMU connects to it
              --vhost-user-uml PATH
                                   the same for User-mode Linux, which takes the card's address and MTU from us
              --qemu PATH          a stream socket; QEMU connects to it:
                                   -netdev stream,id=n,server=off,addr.type=unix,addr.path=PATH
              --vfkit PATH         a datagram socket, for vfkit and libkrun

            Options:
              --configure          with --tap: sets the guest's address, MTU and default route on the device
              --subnet A.B.C.D/N   the guest's network, /16 to /24 (192.168.65.0/24, or the next one that no route
                                   of the host overlaps)
              --mtu N              576 to 65520 (1500)
              --dns ADDRESS        a resolver to ask instead of the host's; may be repeated
              --dns-route DOMAIN=ADDRESS[:PORT]
                                   a name server for a domain and all below it; may be repeated
              --publish [ADDRESS:]PORT:GUESTPORT[/udp]
                                   a port of the host that leads to the guest; may be repeated
              --pcap FILE          records all frames
              --control PATH       a control socket (gRPC): status, ports, flows, capture, metrics
              --faults SHARE       for tests: this share of all frames is lost, damaged or doubled (0 to 1)
              -h, --help           this text
            """;

    /** The arguments; {@code admin} is what holds without a user's file: an administrator's locks bind them, too. */
    static NetOptions parse(List<String> words, EffectiveSettings admin) {
        try {
            return new Parser(words, admin).parse();
        } catch (IllegalArgumentException e) {
            return new Wrong(String.valueOf(e.getMessage()));
        }
    }

    /** One parse. */
    final class Parser {
        private static final Pattern PUBLISH =
                Pattern.compile("(?:(\\[[0-9a-fA-F:.]+\\]|[0-9.]+):)?([0-9]+):([0-9]+)(?:/(tcp|udp))?");

        private final Iterator<String> words;
        private @Nullable LinkChoice link;
        private @Nullable Ipv4Subnet subnet;
        private final EffectiveSettings admin;
        private @Nullable Integer mtu;
        private final List<InetAddress> dns = new ArrayList<>();
        private final List<String> dnsRoutes = new ArrayList<>();
        private final List<Publish> publish = new ArrayList<>();
        private @Nullable String pcap;
        private @Nullable Path control;
        private double faults;
        private boolean configure;

        private Parser(List<String> words, EffectiveSettings admin) {
            this.words = words.iterator();
            this.admin = admin;
        }

        private NetOptions parse() {
            while (words.hasNext()) {
                String option = words.next();
                switch (option) {
                    case "-h", "--help" -> {
                        return new Help(USAGE);
                    }
                    case "--tap" -> choose(tap(value(option)));
                    case "--vhost-user" -> choose(new LinkChoice.VhostUser(socket(option), false));
                    case "--vhost-user-uml" -> choose(new LinkChoice.VhostUser(socket(option), true));
                    case "--qemu" -> choose(new LinkChoice.Qemu(socket(option)));
                    case "--vfkit" -> choose(new LinkChoice.Vfkit(socket(option)));
                    case "--configure" -> configure = true;
                    case "--publish" -> publish.add(publish(value(option)));
                    case "--control" -> control = socket(option);
                    case "--faults" -> faults = share(option, value(option));
                    case "--subnet" -> subnet = subnet(value(option));
                    case "--mtu" -> mtu = number(option, value(option), 576, 65_520);
                    case "--dns" -> dns.add(address(value(option)));
                    case "--dns-route" -> dnsRoutes.add(route(value(option)));
                    case "--pcap" ->
                        pcap = Path.of(value(option)).toAbsolutePath().toString();
                    default -> throw new IllegalArgumentException("unknown argument " + option + "; see --help");
                }
            }
            return usable();
        }

        private Usable usable() {
            LinkChoice chosen = link;
            if (chosen == null) {
                throw new IllegalArgumentException(
                        "which link? Give --tap, --vhost-user, --qemu or --vfkit; see --help");
            }
            if (configure) {
                if (!(chosen instanceof LinkChoice.TapDevice tap)) {
                    throw new IllegalArgumentException("--configure is for --tap only");
                }
                chosen = new LinkChoice.TapDevice(tap.name(), tap.namespace(), true);
            }
            Settings.Network usual = admin.settings().network();
            return new Usable(
                    chosen,
                    admin.settings()
                            .withNetwork(new Settings.Network(
                                    chosen("--subnet", SettingTable.SUBNET, subnet),
                                    subnet == null && usual.moveSubnet(),
                                    chosen("--mtu", SettingTable.MTU, mtu),
                                    chosen("--dns", SettingTable.DNS_SERVERS, dns.isEmpty() ? null : dns),
                                    routes(),
                                    usual.ping(),
                                    chosen("--pcap", SettingTable.PCAP_FILE, pcap),
                                    usual.ipv6(),
                                    usual.mode(),
                                    usual.dnsFilter())),
                    List.copyOf(publish),
                    control,
                    faults);
        }

        private static String route(String text) {
            try {
                return DomainServer.parse(text).toString();
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("--dns-route " + e.getMessage());
            }
        }

        private List<DomainServer> routes() {
            List<String> texts = chosen("--dns-route", SettingTable.DNS_ROUTES, dnsRoutes.isEmpty() ? null : dnsRoutes);
            return texts.stream().map(DomainServer::parse).toList();
        }

        /** The option's value; without one, what the settings say. A lock allows no other. */
        private <T> T chosen(String option, Setting<T> setting, @Nullable T value) {
            T said = admin.get(setting);
            if (value != null && admin.isLocked(setting) && !value.equals(said)) {
                throw new IllegalArgumentException(
                        option + ": " + setting.key() + " is locked by your administrator in " + admin.adminFile());
            }
            return value == null ? said : value;
        }

        private Path socket(String option) {
            Path path = Path.of(value(option)).toAbsolutePath();
            if (path.toString().getBytes(StandardCharsets.UTF_8).length > Linux.MAX_SOCKET_PATH_BYTES) {
                throw new IllegalArgumentException(
                        option + ": a socket's path has at most " + Linux.MAX_SOCKET_PATH_BYTES + " bytes: " + path);
            }
            return path;
        }

        /** {@code [ADDRESS:]PORT:GUESTPORT[/udp]}, an IPv6 address in brackets. */
        private static Publish publish(String text) {
            Matcher m = PUBLISH.matcher(text);
            if (!m.matches()) {
                throw new IllegalArgumentException("--publish: '" + text + "' is not [ADDRESS:]PORT:GUESTPORT[/udp]");
            }
            String host = m.group(1) == null ? "" : m.group(1).replaceAll("[\\[\\]]", "");
            if (!host.isEmpty()) {
                InetAddress _ = address(host); // or it says what is wrong
            }
            return new Publish(
                    "udp".equals(m.group(4)) ? Ports.Protocol.UDP : Ports.Protocol.TCP,
                    host,
                    number("--publish", m.group(2), 0, 65_535),
                    number("--publish", m.group(3), 1, 65_535));
        }

        private void choose(LinkChoice choice) {
            if (link != null) {
                throw new IllegalArgumentException("one link at a time: " + link + ", or " + choice);
            }
            link = choice;
        }

        private String value(String option) {
            if (!words.hasNext()) {
                throw new IllegalArgumentException(option + " needs a value");
            }
            return words.next();
        }

        private static LinkChoice tap(String text) {
            int at = text.indexOf('@');
            String name = at < 0 ? text : text.substring(0, at);
            int bytes = name.getBytes(StandardCharsets.UTF_8).length;
            if (bytes == 0 || bytes > Tap.MAX_NAME_BYTES || name.contains("/") || name.contains("%")) {
                throw new IllegalArgumentException("--tap: '" + name + "' is not the name of an interface");
            }
            return new LinkChoice.TapDevice(name, at < 0 ? null : text.substring(at + 1), false);
        }

        private static Ipv4Subnet subnet(String text) {
            Ipv4Subnet subnet = Ipv4Subnet.parse(text);
            if (subnet.prefix() < 16 || subnet.prefix() > 24) {
                throw new IllegalArgumentException("--subnet: the prefix is /16 to /24, not /" + subnet.prefix());
            }
            return subnet;
        }

        private static int number(String option, String text, int least, int most) {
            try {
                int n = Integer.parseInt(text);
                if (n >= least && n <= most) {
                    return n;
                }
            } catch (NumberFormatException e) {
                // as wrong as a number out of range
            }
            throw new IllegalArgumentException(option + ": " + text + " is not a number from " + least + " to " + most);
        }

        private static double share(String option, String text) {
            try {
                double share = Double.parseDouble(text);
                if (share >= 0 && share <= 1) {
                    return share;
                }
            } catch (NumberFormatException e) {
                // as wrong as a number out of range
            }
            throw new IllegalArgumentException(option + ": " + text + " is not a number from 0 to 1");
        }

        private static InetAddress address(String text) {
            return InetAddress.ofLiteral(text);
        }
    }
}
