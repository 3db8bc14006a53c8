package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.DnsRecord;
import io.netty.buffer.ByteBuf;

/**
 * Copies records from one message to another, where compression pointers would lead to other places: names in them are written out, or point to
 * the same whole name written before. Only the types of RFC 1035 and those that RFC 3597 §4 lists may have pointers in their data; any
 * other data are copied as they are.
 */
final class NameWriter {
    private static final int MAX_KNOWN = 32;

    private final ByteBuf m;
    private final int end;
    private final ByteBuf out;
    private final byte[] name = new byte[DnsMessage.MAX_NAME_BYTES];
    private final int[] known = new int[MAX_KNOWN]; // places in out of whole names without pointers
    private int knownCount;

    /** From {@code m}, which begins at 0 and ends at {@code end}, to {@code out}, which has header and question already. */
    NameWriter(ByteBuf m, int end, ByteBuf out) {
        this.m = m;
        this.end = end;
        this.out = out;
        known[knownCount++] = DnsMessage.HEADER_BYTES;
    }

    /** Writes the name at {@code at}; returns the index after it in {@code m}, or -1 if it is broken. */
    int write(int at, boolean compress) {
        int bytes = DnsMessage.copyName(m, 0, end, at, name, false);
        int next = DnsMessage.skipName(m, 0, end, at);
        if (bytes < 0 || next < 0) {
            return -1;
        }
        int place = compress && bytes > 2 ? find(bytes) : -1;
        if (place >= 0) {
            out.writeShort(0xC000 | place);
            return next;
        }
        int here = out.writerIndex();
        if (bytes > 2 && knownCount < MAX_KNOWN && here < 0x4000) {
            known[knownCount++] = here;
        }
        out.writeBytes(name, 0, bytes);
        return next;
    }

    private int find(int bytes) {
        for (int k = 0; k < knownCount; k++) {
            if (isAt(known[k], bytes)) {
                return known[k];
            }
        }
        return -1;
    }

    private boolean isAt(int place, int bytes) {
        if (place + bytes > out.writerIndex()) {
            return false;
        }
        for (int i = 0; i < bytes; i++) {
            if (out.getByte(place + i) != name[i]) {
                return false;
            }
        }
        return true;
    }

    /** Writes the data of the record whose header is at {@code afterName}; false if a name in them is broken. */
    boolean writeData(int afterName) {
        int at = DnsRecord.dataAt(afterName);
        int to = at + DnsRecord.dataBytes(m, afterName);
        return switch (DnsRecord.type(m, afterName)) {
            case 2, 3, 4, 5, 7, 8, 9, 12 -> names(at, 0, 1, 0, to, true); // NS MD MF CNAME MB MG MR PTR
            case 6 -> names(at, 0, 2, 20, to, true); // SOA
            case 14, 17 -> names(at, 0, 2, 0, to, false); // MINFO RP
            case 15 -> names(at, 2, 1, 0, to, true); // MX
            case 18, 21, 36 -> names(at, 2, 1, 0, to, false); // AFSDB RT KX
            case 24 -> names(at, 18, 1, -1, to, false); // SIG
            case 26 -> names(at, 2, 2, 0, to, false); // PX
            case 30 -> names(at, 0, 1, -1, to, false); // NXT
            case 33 -> names(at, 6, 1, 0, to, false); // SRV
            case 35 -> naptr(at, to);
            case 39 -> names(at, 0, 1, 0, to, false); // DNAME
            default -> {
                out.writeBytes(m, at, to - at);
                yield true;
            }
        };
    }

    /** Bytes, names, bytes: {@code after} of them, or any number if it is -1. */
    private boolean names(int at, int before, int count, int after, int to, boolean compress) {
        if (at + before > to) {
            return false;
        }
        out.writeBytes(m, at, before);
        int i = at + before;
        for (int n = 0; n < count; n++) {
            i = i < to ? write(i, compress) : -1;
            if (i < 0 || i > to) {
                return false;
            }
        }
        if (after >= 0 && to - i != after) {
            return false;
        }
        out.writeBytes(m, i, to - i);
        return true;
    }

    /** Order, preference, three strings, a name: RFC 3403 §4.1. */
    private boolean naptr(int at, int to) {
        int i = at + 4;
        for (int n = 0; n < 3; n++) {
            if (i >= to) {
                return false;
            }
            i += 1 + m.getUnsignedByte(i);
        }
        return i < to && names(at, i - at, 1, 0, to, false);
    }
}
