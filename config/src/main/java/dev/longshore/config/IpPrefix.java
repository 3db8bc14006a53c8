package dev.longshore.config;

import java.net.Inet4Address;
import java.net.InetAddress;

/**
 * A network of either family, as in {@code 10.0.0.0/8} and {@code fd00::/8}. Immutable.
 *
 * @param base its first address
 * @param bits the prefix length, 0..32 or 0..128
 */
public record IpPrefix(InetAddress base, int bits) {
    public IpPrefix {
        if (bits < 0 || bits > width(base)) {
            throw new IllegalArgumentException("a prefix length of " + bits);
        }
    }

    private static int width(InetAddress address) {
        return address instanceof Inet4Address ? 32 : 128;
    }

    /**
     * Reads an address or a network; names are never looked up.
     *
     * @throws IllegalArgumentException with a sentence for the user: bits behind the prefix are refused, as one of both would be
     *     a mistake
     */
    public static IpPrefix parse(String text) {
        int slash = text.indexOf('/');
        String literal = slash < 0 ? text : text.substring(0, slash);
        if (!looksLikeAddress(literal)) {
            throw new IllegalArgumentException("'" + text + "' is no address or network, as in 10.0.0.0/8 or fd00::/8");
        }
        InetAddress address;
        try {
            address = InetAddress.ofLiteral(literal);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("'" + literal + "' is no address", e);
        }
        if (literal.indexOf(':') >= 0 && address instanceof Inet4Address) {
            throw new IllegalArgumentException(
                    "'" + literal + "' is an IPv4 address: write it as " + address.getHostAddress());
        }
        int bits = width(address);
        if (slash >= 0) {
            String length = text.substring(slash + 1);
            if (!length.matches("[0-9]{1,3}") || Integer.parseInt(length) > bits) {
                throw new IllegalArgumentException("'" + text + "' has no prefix length from 0 to " + bits);
            }
            bits = Integer.parseInt(length);
        }
        InetAddress first = first(address, bits);
        if (!first.equals(address)) {
            throw new IllegalArgumentException(
                    "'" + text + "' has bits behind its prefix; the network is " + new IpPrefix(first, bits));
        }
        return new IpPrefix(first, bits);
    }

    /** True for what {@link #parse} is to read, and not a host's name. */
    static boolean looksLikeAddress(String text) {
        return text.matches("[0-9]+(\\.[0-9]+){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*");
    }

    private static InetAddress first(InetAddress address, int bits) {
        byte[] bytes = address.getAddress();
        for (int i = 0; i < bytes.length; i++) {
            int kept = Math.clamp(bits - 8L * i, 0, 8);
            bytes[i] &= (byte) (0xFF00 >>> kept);
        }
        try {
            return InetAddress.getByAddress(bytes);
        } catch (java.net.UnknownHostException e) {
            throw new IllegalStateException(e); // only for a wrong length
        }
    }

    /** What {@link #parse} reads: a whole address without its length. */
    @Override
    public String toString() {
        String address = ValueTypes.addressText(base);
        return bits == width(base) ? address : address + "/" + bits;
    }
}
