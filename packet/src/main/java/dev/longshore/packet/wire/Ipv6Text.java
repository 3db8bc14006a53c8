package dev.longshore.packet.wire;

/** The canonical text of an IPv6 address: RFC 5952 §4. */
final class Ipv6Text {
    private Ipv6Text() {}

    static String compress(long hi, long lo) {
        int[] group = new int[8];
        for (int i = 0; i < 4; i++) {
            group[i] = (int) (hi >>> (48 - 16 * i)) & 0xFFFF;
            group[4 + i] = (int) (lo >>> (48 - 16 * i)) & 0xFFFF;
        }
        int best = -1;
        int bestLength = 1; // §4.2.2: a single group is not shortened
        for (int i = 0; i < 8; i++) {
            int length = 0;
            while (i + length < 8 && group[i + length] == 0) {
                length++;
            }
            if (length > bestLength) {
                best = i;
                bestLength = length;
            }
        }
        StringBuilder text = new StringBuilder(39);
        for (int i = 0; i < 8; i++) {
            if (i == best) {
                text.append("::");
                i += bestLength - 1;
            } else {
                if (i > 0 && text.charAt(text.length() - 1) != ':') {
                    text.append(':');
                }
                text.append(Integer.toHexString(group[i]));
            }
        }
        return text.toString();
    }
}
