package dev.longshore.portforward;

import dev.longshore.packet.wire.IpAddress;
import java.util.regex.Pattern;

/**
 * The guest's line {@code EXPOSE <tcp|udp> <host-ip> <host-port> <container-ip> <container-port>} without the key in front of
 * it, one space between the words, IPv6 bare. Immutable.
 */
record PublishRequest(Forward forward) {
    /** Of the line with its key and its LF; longer ones are refused before they are complete. */
    static final int MAX_LINE_BYTES = 512;

    private static final Pattern NUMBER = Pattern.compile("0|[1-9][0-9]{0,4}");

    /** Throws IllegalArgumentException with a text for the agent's log; whatever the guest sends, nothing else. */
    static PublishRequest parse(String line) {
        String[] words = line.split(" ", -1);
        if (words.length != 6 || !words[0].equals("EXPOSE")) {
            throw new IllegalArgumentException("expected EXPOSE and five words");
        }
        HostEndpoint.Port host = new HostEndpoint.Port(protocol(words[1]), address(words[2]), number(words[3], 0));
        return new PublishRequest(new Forward(host, address(words[4]), number(words[5], 1)));
    }

    private static Protocol protocol(String word) {
        return switch (word) {
            case "tcp" -> Protocol.TCP;
            case "udp" -> Protocol.UDP;
            default -> throw new IllegalArgumentException("not a protocol");
        };
    }

    private static IpAddress address(String word) {
        try {
            return IpAddress.parse(word);
        } catch (RuntimeException e) {
            throw new IllegalArgumentException("not an address", e);
        }
    }

    private static int number(String word, int min) {
        int value = NUMBER.matcher(word).matches() ? Integer.parseInt(word) : -1;
        if (value < min || value > 65535) {
            throw new IllegalArgumentException("not a port");
        }
        return value;
    }
}
