package dev.longshore.backend;

import dev.longshore.config.Ipv4Subnet;
import dev.longshore.config.Settings;
import dev.longshore.linux.Tap;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
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
     * @param network as wanted; the subnet may still move if the user has not named it
     */
    record Usable(LinkChoice link, Settings.Network network) implements NetOptions {}

    /** What carries the guest's frames; {@code toString} is for the user. */
    sealed interface LinkChoice {
        /**
         * A TAP device.
         *
         * @param namespace as the user wrote it, or null for our own
         */
        record TapDevice(String name, @Nullable String namespace) implements LinkChoice {
            @Override
            public String toString() {
                return namespace == null ? "TAP " + name : "TAP " + name + " in " + namespace;
            }
        }
    }

    /** The text of {@code --help}. */
    String USAGE = """
            Usage: longshore net --tap NAME[@NETNS] [options]
            Runs only the network, in the foreground, for a guest of your own. Ends at SIGTERM and SIGINT.

            The link, exactly one:
              --tap NAME[@NETNS]  a TAP device, made if there is none; NETNS is a name of ip-netns, a path
                                  such as /proc/123/ns/net, or the id of a process

            Options:
              --subnet A.B.C.D/N  the guest's network, /16 to /24 (192.168.65.0/24, moved if a route of the host overlaps it)
              --mtu N             576 to 65520 (1500)
              --dns ADDRESS       a resolver to ask instead of the host's; may be repeated
              --pcap FILE         records all frames
              -h, --help          this text
            """;

    static NetOptions parse(List<String> words) {
        try {
            return new Parser(words).parse();
        } catch (IllegalArgumentException e) {
            return new Wrong(String.valueOf(e.getMessage()));
        }
    }

    /** One parse. */
    final class Parser {
        private final Iterator<String> words;
        private @Nullable LinkChoice link;
        private @Nullable Ipv4Subnet subnet;
        private int mtu = Settings.DEFAULTS.network().mtu();
        private final List<InetAddress> dns = new ArrayList<>();
        private String pcap = "";

        private Parser(List<String> words) {
            this.words = words.iterator();
        }

        private NetOptions parse() {
            while (words.hasNext()) {
                String option = words.next();
                switch (option) {
                    case "-h", "--help" -> {
                        return new Help(USAGE);
                    }
                    case "--tap" -> choose(tap(value(option)));
                    case "--subnet" -> subnet = subnet(value(option));
                    case "--mtu" -> mtu = number(option, value(option), 576, 65_520);
                    case "--dns" -> dns.add(address(value(option)));
                    case "--pcap" ->
                        pcap = Path.of(value(option)).toAbsolutePath().toString();
                    default -> throw new IllegalArgumentException("unknown argument " + option + "; see --help");
                }
            }
            if (link == null) {
                throw new IllegalArgumentException("which link? Give --tap; see --help");
            }
            Settings.Network usual = Settings.DEFAULTS.network();
            return new Usable(
                    link,
                    new Settings.Network(
                            subnet == null ? usual.subnet() : subnet, subnet == null, mtu, dns, usual.ping(), pcap));
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
            return new LinkChoice.TapDevice(name, at < 0 ? null : text.substring(at + 1));
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

        private static InetAddress address(String text) {
            return InetAddress.ofLiteral(text);
        }
    }
}
