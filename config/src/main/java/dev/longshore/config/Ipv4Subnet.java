package dev.longshore.config;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;

/**
 * A range of IPv4 addresses with a common prefix. Immutable.
 *
 * @param bits the network's address, big endian; no bit is set outside the prefix
 * @param prefix 0..32
 */
public record Ipv4Subnet(int bits, int prefix) {
    public Ipv4Subnet {
        if (prefix < 0 || prefix > 32) {
            throw new IllegalArgumentException("a prefix is 0 to 32, not " + prefix);
        }
        if ((bits & ~mask(prefix)) != 0) {
            throw new IllegalArgumentException("address bits are set outside the prefix /" + prefix);
        }
    }

    /** As in {@code 192.168.65.0/24}. Throws IllegalArgumentException with a text for the user. */
    public static Ipv4Subnet parse(String text) {
        int slash = text.indexOf('/');
        if (slash < 0) {
            throw new IllegalArgumentException("'" + text + "' is not a subnet such as 192.168.65.0/24");
        }
        int bits = Ipv4Text.parse(text.substring(0, slash));
        String prefix = text.substring(slash + 1);
        if (!prefix.matches("[0-9]{1,2}")) {
            throw new IllegalArgumentException("'" + prefix + "' is not a prefix length");
        }
        return new Ipv4Subnet(bits, Integer.parseInt(prefix));
    }

    /** The n-th address of the range, the network's own being 0. */
    public Inet4Address address(int n) {
        return Ipv4Text.address(bits + n);
    }

    public boolean contains(Inet4Address address) {
        return (ByteBuffer.wrap(address.getAddress()).getInt() & mask(prefix)) == bits;
    }

    public boolean overlaps(Ipv4Subnet other) {
        int common = mask(Math.min(prefix, other.prefix));
        return (bits & common) == (other.bits & common);
    }

    /** The netmask's bits. */
    public int mask() {
        return mask(prefix);
    }

    private static int mask(int prefix) {
        return prefix == 0 ? 0 : -1 << (32 - prefix);
    }

    @Override
    public String toString() {
        return address(0).getHostAddress() + "/" + prefix;
    }

    /** Dotted quads. */
    static final class Ipv4Text {
        private Ipv4Text() {}

        static int parse(String text) {
            String[] parts = text.split("\\.", -1);
            if (parts.length != 4) {
                throw new IllegalArgumentException("'" + text + "' is not an IPv4 address");
            }
            int bits = 0;
            for (String part : parts) {
                if (!part.matches("[0-9]{1,3}") || Integer.parseInt(part) > 255) {
                    throw new IllegalArgumentException("'" + text + "' is not an IPv4 address");
                }
                bits = bits << 8 | Integer.parseInt(part);
            }
            return bits;
        }

        static Inet4Address address(int bits) {
            try {
                return (Inet4Address) InetAddress.getByAddress(
                        ByteBuffer.allocate(4).putInt(bits).array());
            } catch (UnknownHostException e) {
                throw new IllegalStateException(e); // only for a wrong length
            }
        }
    }
}
