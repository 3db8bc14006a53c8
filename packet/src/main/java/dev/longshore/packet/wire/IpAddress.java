package dev.longshore.packet.wire;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.regex.Pattern;

/**
 * An IPv4 or IPv6 address as 128 bits; IPv4 in its mapped form ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), so that every table
 * has room for both families. Immutable. For configuration and per-flow use: per packet, pass {@code hi} and {@code lo}.
 *
 * @param hi the first eight bytes, big endian
 * @param lo the last eight bytes, big endian
 */
public record IpAddress(long hi, long lo) {
    /** Characters, of eight groups or six and four octets; the pattern takes the square of a text's length. */
    private static final int MAX_LITERAL = 45;

    private static final Pattern LITERAL =
            Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*");

    private static final long V4_PREFIX = 0x0000_FFFF_0000_0000L;

    /** The address from the four bytes of {@code bits}, big endian. */
    public static IpAddress v4(int bits) {
        return new IpAddress(0, loOfV4(bits));
    }

    /** The low half of a mapped IPv4 address; the high half is 0. */
    public static long loOfV4(int bits) {
        return V4_PREFIX | (bits & 0xFFFF_FFFFL);
    }

    /** True if (hi, lo) is a mapped IPv4 address. */
    public static boolean isV4(long hi, long lo) {
        return hi == 0 && (lo & 0xFFFF_FFFF_0000_0000L) == V4_PREFIX;
    }

    /** True for ff00::/8, RFC 4291 §2.7; {@code hi} of an IPv6 address. */
    public static boolean isMulticast(long hi) {
        return hi >>> 56 == 0xFF;
    }

    /** True for fe80::/10, RFC 4291 §2.5.6; {@code hi} of an IPv6 address. */
    public static boolean isLinkLocal(long hi) {
        return hi >>> 54 == 0xFE80 >>> 6;
    }

    /** Never a name: an address literal without brackets or scope. Throws IllegalArgumentException with the text. */
    public static IpAddress parse(String literal) {
        if (literal.length() > MAX_LITERAL || !LITERAL.matcher(literal).matches()) {
            throw new IllegalArgumentException("not an IP address: '" + shown(literal) + "'");
        }
        try {
            return of(InetAddress.ofLiteral(literal)); // getByName would look 1.2.3.999 up
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("not an IP address: '" + literal + "'", e);
        }
    }

    private static String shown(String text) {
        return text.length() > MAX_LITERAL ? text.substring(0, MAX_LITERAL) + "…" : text;
    }

    public static IpAddress of(InetAddress address) {
        byte[] bytes = address.getAddress();
        ByteBuffer b = ByteBuffer.wrap(bytes);
        return bytes.length == 4 ? v4(b.getInt()) : new IpAddress(b.getLong(), b.getLong());
    }

    public boolean isV4() {
        return isV4(hi, lo);
    }

    /** The four bytes, big endian; only if {@link #isV4()}. */
    public int v4Bits() {
        return (int) lo;
    }

    /** Inet4Address for a mapped address, else Inet6Address without a scope. */
    public InetAddress toInetAddress() {
        try {
            byte[] bytes = isV4()
                    ? ByteBuffer.allocate(4).putInt((int) lo).array()
                    : ByteBuffer.allocate(16).putLong(hi).putLong(lo).array();
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e); // only for a wrong length
        }
    }

    /** 127.0.0.0/8 or ::1. */
    public boolean isLoopback() {
        return toInetAddress().isLoopbackAddress();
    }

    /** The literal, without brackets; IPv6 compressed as in RFC 5952 as far as {@link InetAddress} does it. */
    @Override
    public String toString() {
        InetAddress a = toInetAddress();
        return a instanceof Inet4Address ? a.getHostAddress() : Ipv6Text.compress(hi, lo);
    }
}
