package dev.longshore.packet.capture;

import dev.longshore.packet.wire.IpAddress;
import io.netty.buffer.ByteBuf;

/**
 * Which frames a capture takes: a subset of pcap-filter(7).
 * <pre>
 *  expression  = ["not"] term { ("and" | "or") ["not"] term }      also &amp;&amp; || !; equal precedence, from the left
 *  term        = "(" expression ")" | primitive
 *  primitive   = "arp" | "ip" | "ip6" | "tcp" | "udp" | "icmp" | "icmp6"
 *              | [ "tcp" | "udp" ] [ "src" | "dst" ] "port" NUMBER
 *              | [ "tcp" | "udp" ] [ "src" | "dst" ] "portrange" NUMBER "-" NUMBER
 *              | [ "src" | "dst" ] "host" ADDRESS
 *              | [ "src" | "dst" ] "net" ADDRESS "/" BITS
 * </pre>
 * As in pcap-filter(7), "host" and "net" look into ARP too, and the later fragments of a packet have no ports.
 *
 * <p>{@link #matches} allocates nothing. Confined to one thread: it reads each frame into fields of its own.
 */
public final class CaptureFilter {
    private final String text;
    private final Node root;
    private final FrameFields fields = new FrameFields();

    private CaptureFilter(String text, Node root) {
        this.text = text;
        this.root = root;
    }

    /**
     * An empty text lets everything through.
     *
     * @throws IllegalArgumentException for the user: what is wrong, and where
     */
    public static CaptureFilter parse(String text) {
        return new CaptureFilter(text.strip(), new FilterParser(text).parse());
    }

    /** Looks at the headers only: {@code len} bytes at {@code at}, which may be the beginning of a longer frame. Borrows. */
    public boolean matches(ByteBuf b, int at, int len) {
        fields.read(b, at, len);
        return root.test(fields);
    }

    @Override
    public String toString() {
        return text;
    }

    /** One part of the expression. Immutable. */
    sealed interface Node {
        boolean test(FrameFields f);
    }

    /** Which side of a packet a primitive asks about. */
    enum Side {
        SOURCE,
        DESTINATION,
        EITHER
    }

    record All() implements Node {
        @Override
        public boolean test(FrameFields f) {
            return true;
        }
    }

    record Not(Node node) implements Node {
        @Override
        public boolean test(FrameFields f) {
            return !node.test(f);
        }
    }

    record And(Node left, Node right) implements Node {
        @Override
        public boolean test(FrameFields f) {
            return left.test(f) && right.test(f);
        }
    }

    record Or(Node left, Node right) implements Node {
        @Override
        public boolean test(FrameFields f) {
            return left.test(f) || right.test(f);
        }
    }

    record EtherType(int type) implements Node {
        @Override
        public boolean test(FrameFields f) {
            return f.etherType == type;
        }
    }

    /** IP of any version, or of the one that the protocol belongs to. */
    record Protocol(int protocol) implements Node {
        @Override
        public boolean test(FrameFields f) {
            return f.protocol == protocol;
        }
    }

    record Ports(Side side, int first, int last) implements Node {
        @Override
        public boolean test(FrameFields f) {
            return switch (side) {
                case SOURCE -> has(f.sourcePort);
                case DESTINATION -> has(f.destinationPort);
                case EITHER -> has(f.sourcePort) || has(f.destinationPort);
            };
        }

        private boolean has(int port) {
            return port >= first && port <= last;
        }
    }

    /** A host is a net of 128 bits; IPv4 in its mapped form. */
    record Net(Side side, long hi, long lo, long hiMask, long loMask) implements Node {
        static Net of(Side side, IpAddress address, int bits) {
            int wide = address.isV4() ? bits + 96 : bits;
            long hiMask = wide == 0 ? 0 : -1L << Math.max(0, 64 - wide);
            long loMask = wide <= 64 ? 0 : -1L << (128 - wide);
            return new Net(side, address.hi() & hiMask, address.lo() & loMask, hiMask, loMask);
        }

        @Override
        public boolean test(FrameFields f) {
            if (!f.hasAddresses) {
                return false;
            }
            boolean source = has(f.sourceHi, f.sourceLo);
            boolean destination = has(f.destinationHi, f.destinationLo);
            return switch (side) {
                case SOURCE -> source;
                case DESTINATION -> destination;
                case EITHER -> source || destination;
            };
        }

        private boolean has(long addressHi, long addressLo) {
            return (addressHi & hiMask) == hi && (addressLo & loMask) == lo;
        }
    }
}
