package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.DnsRecord;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * Takes the addresses of one family out of a resolver's message: A or AAAA records wherever they are, the signatures of these, and the
 * address hints in SVCB and HTTPS records (RFC 9460 §7.3), by which browsers would use that family all the same. Aliases stay, so does the
 * rcode. What is left without an answer gets a SOA record, so that the guest may remember it (RFC 2308 §3), and nothing claims to be
 * authentic any more. A signed SVCB set for one who checks signatures stays as it is: changed, it would be worth nothing. Confined to the loop.
 *
 * <p>The message is written anew, as compression pointers lead everywhere.
 */
final class FamilyStripper {
    /** The name server's other answers about nothing say as much. */
    static final int NEGATIVE_SECONDS = 30;

    private static final int KEY_MANDATORY = 0;
    private static final int KEY_IPV4HINT = 4;
    private static final int KEY_IPV6HINT = 6;

    private final DnsLayout layout = new DnsLayout();

    /** What came of a message. */
    enum Result {
        /** There is nothing to take out. */
        UNCHANGED,
        CHANGED,
        /** It can't be read to its end, or does not fit into a message any more. */
        BROKEN
    }

    private @Nullable ByteBuf stripped;

    /** The changed message, without OPT; the caller owns it. */
    ByteBuf take() {
        ByteBuf b = stripped;
        stripped = null;
        if (b == null) {
            throw new IllegalStateException("nothing was changed");
        }
        return b;
    }

    /** Borrows {@code m}. After {@link Result#CHANGED}, {@link #take} has the new one. */
    Result strip(ByteBufAllocator allocator, DnsQuestion q, ByteBuf m, int type) {
        if (!layout.read(m)) {
            return Result.BROKEN;
        }
        boolean keepSigned = q.dnssecOk && signs(m, DnsMessage.TYPE_SVCB, DnsMessage.TYPE_HTTPS);
        if (!hasAny(m, type, keepSigned)) {
            return Result.UNCHANGED;
        }
        ByteBuf out = allocator.directBuffer(m.readableBytes() + 64, DnsQuestion.MAX_BYTES);
        boolean done = false;
        try {
            done = write(q, m, type, keepSigned, out);
        } catch (IndexOutOfBoundsException e) {
            // it grew beyond what a message may have
        } finally {
            if (!done) {
                out.release();
            }
        }
        stripped = done ? out : null;
        return done ? Result.CHANGED : Result.BROKEN;
    }

    private boolean signs(ByteBuf m, int oneType, int otherType) {
        int i = layout.recordsAt;
        for (int n = DnsMessage.records(m, 0); n > 0; n--) {
            int afterName = DnsMessage.skipName(m, 0, layout.end, i);
            if (DnsRecord.type(m, afterName) == DnsMessage.TYPE_RRSIG) {
                int covered = DnsRecord.covered(m, afterName);
                if (covered == oneType || covered == otherType) {
                    return true;
                }
            }
            i = DnsMessage.skipRecord(m, 0, layout.end, i);
        }
        return false;
    }

    private boolean hasAny(ByteBuf m, int type, boolean keepSigned) {
        int i = layout.recordsAt;
        for (int n = DnsMessage.records(m, 0); n > 0; n--) {
            int afterName = DnsMessage.skipName(m, 0, layout.end, i);
            if (isOf(m, afterName, type) || (!keepSigned && hasHint(m, afterName, type))) {
                return true;
            }
            i = DnsMessage.skipRecord(m, 0, layout.end, i);
        }
        return false;
    }

    private static boolean isOf(ByteBuf m, int afterName, int type) {
        int its = DnsRecord.type(m, afterName);
        boolean internet = DnsRecord.dnsClass(m, afterName) == DnsMessage.CLASS_IN;
        return internet && (its == type || (its == DnsMessage.TYPE_RRSIG && DnsRecord.covered(m, afterName) == type));
    }

    // ---- SVCB

    private static int hintOf(int type) {
        return type == DnsMessage.TYPE_A ? KEY_IPV4HINT : KEY_IPV6HINT;
    }

    private static boolean isService(ByteBuf m, int afterName) {
        int its = DnsRecord.type(m, afterName);
        return its == DnsMessage.TYPE_SVCB || its == DnsMessage.TYPE_HTTPS;
    }

    private boolean hasHint(ByteBuf m, int afterName, int type) {
        if (!isService(m, afterName)) {
            return false;
        }
        int end = DnsRecord.dataAt(afterName) + DnsRecord.dataBytes(m, afterName);
        int i = parametersAt(m, afterName, end);
        while (i >= 0 && i + 4 <= end) {
            if (m.getUnsignedShort(i) == hintOf(type)) {
                return true;
            }
            i += 4 + m.getUnsignedShort(i + 2);
        }
        return false;
    }

    /** Behind priority and target, whose name has no pointer (RFC 9460 §2.2); -1 if that is not so. */
    private static int parametersAt(ByteBuf m, int afterName, int end) {
        int dataAt = DnsRecord.dataAt(afterName);
        return dataAt + 3 > end ? -1 : DnsMessage.skipPlainName(m, 0, end, dataAt + 2);
    }

    /** Data of a service record without the hint; false if they are broken. */
    private static boolean writeService(ByteBuf m, int afterName, int hint, ByteBuf out) {
        int dataAt = DnsRecord.dataAt(afterName);
        int end = dataAt + DnsRecord.dataBytes(m, afterName);
        int i = parametersAt(m, afterName, end);
        if (i < 0) {
            return false;
        }
        out.writeBytes(m, dataAt, i - dataAt);
        while (i < end) {
            if (i + 4 > end) {
                return false;
            }
            int key = m.getUnsignedShort(i);
            int bytes = m.getUnsignedShort(i + 2);
            int next = i + 4 + bytes;
            if (next > end) {
                return false;
            }
            if (key == KEY_MANDATORY) {
                writeMandatory(m, i + 4, bytes, hint, out);
            } else if (key != hint) {
                out.writeBytes(m, i, next - i);
            }
            i = next;
        }
        return true;
    }

    /** A key that is not there may not be mandatory; an empty list may not be there at all: RFC 9460 §8. */
    private static void writeMandatory(ByteBuf m, int at, int bytes, int hint, ByteBuf out) {
        int begin = out.writerIndex();
        out.writeShort(KEY_MANDATORY).writeShort(0);
        for (int i = at; i + 2 <= at + bytes; i += 2) {
            if (m.getUnsignedShort(i) != hint) {
                out.writeShort(m.getUnsignedShort(i));
            }
        }
        int length = out.writerIndex() - begin - 4;
        if (length == 0) {
            out.writerIndex(begin);
        } else {
            out.setShort(begin + 2, length);
        }
    }

    // ---- the whole message

    private boolean write(DnsQuestion q, ByteBuf m, int type, boolean keepSigned, ByteBuf out) {
        out.writeBytes(m, 0, DnsMessage.HEADER_BYTES).writeBytes(q.bytes);
        DnsMessage.setFlags(out, 0, DnsMessage.flags(m, 0) & ~DnsMessage.FLAG_AUTHENTIC_DATA);
        NameWriter names = new NameWriter(m, layout.end, out);
        int[] counts = {DnsMessage.answers(m, 0), DnsMessage.authorities(m, 0), DnsMessage.additionals(m, 0)};
        int[] kept = new int[3];
        boolean taken = false; // an answer
        boolean answered = false;
        boolean soa = false;
        int aliasAt = DnsMessage.HEADER_BYTES; // in out: the name whose addresses are left out
        int i = layout.recordsAt;
        int authorityAt = -1;
        for (int section = 0; section < 3; section++) {
            if (section == 1) {
                authorityAt = out.writerIndex();
            }
            boolean skipAuthority = section == 1 && taken && !answered && !hasSoa(m, i, counts[1]);
            for (int n = 0; n < counts[section]; n++) {
                int afterName = DnsMessage.skipName(m, 0, layout.end, i);
                int next = DnsMessage.skipRecord(m, 0, layout.end, i);
                int its = DnsRecord.type(m, afterName);
                if (its == DnsMessage.TYPE_OPT || skipAuthority) {
                    i = next;
                    continue;
                }
                if (isOf(m, afterName, type)) {
                    taken |= section == 0;
                    i = next;
                    continue;
                }
                int hint = isService(m, afterName) && !keepSigned ? hintOf(type) : -1;
                int dataAt = writeRecord(m, i, afterName, hint, names, out);
                if (dataAt < 0) {
                    return false;
                }
                if (section == 0 && its == DnsMessage.TYPE_CNAME) {
                    aliasAt = dataAt;
                } else if (section == 0) {
                    answered |= its == q.type || q.type == DnsMessage.TYPE_ANY;
                }
                soa |= section == 1 && its == DnsMessage.TYPE_SOA;
                kept[section]++;
                i = next;
            }
            if (section == 1 && taken && !answered && !soa) {
                writeSoa(out, aliasAt);
                kept[1]++;
            }
        }
        assert authorityAt >= 0;
        DnsMessage.setCounts(out, 0, 1, kept[0], kept[1], kept[2]);
        return true;
    }

    private boolean hasSoa(ByteBuf m, int at, int count) {
        int i = at;
        for (int n = 0; n < count; n++) {
            if (DnsRecord.type(m, DnsMessage.skipName(m, 0, layout.end, i)) == DnsMessage.TYPE_SOA) {
                return true;
            }
            i = DnsMessage.skipRecord(m, 0, layout.end, i);
        }
        return false;
    }

    /**
     * Every name may be the top of a zone: the SOA record is that of the name which has no addresses, so that no rule about who may say
     * something about whom is broken.
     */
    private static void writeSoa(ByteBuf out, int nameAt) {
        if (nameAt < 0x4000) {
            out.writeShort(0xC000 | nameAt);
        } else {
            out.writeByte(0); // far behind a monstrous chain of aliases: the root's
        }
        out.writeShort(DnsMessage.TYPE_SOA).writeShort(DnsMessage.CLASS_IN).writeInt(NEGATIVE_SECONDS);
        int lengthAt = out.writerIndex();
        out.writeShort(0);
        DnsMessage.writeName(out, "ns.docker.internal");
        DnsMessage.writeName(out, "hostmaster.docker.internal");
        out.writeInt(1).writeInt(3600).writeInt(600).writeInt(86_400).writeInt(NEGATIVE_SECONDS);
        out.setShort(lengthAt, out.writerIndex() - lengthAt - 2);
    }

    /** Index of the data in {@code out}, or -1 if the record is broken. */
    private static int writeRecord(ByteBuf m, int at, int afterName, int hint, NameWriter names, ByteBuf out) {
        if (names.write(at, true) < 0) {
            return -1;
        }
        out.writeBytes(m, afterName, DnsRecord.HEADER_BYTES);
        int dataAt = out.writerIndex();
        boolean ok = hint >= 0 ? writeService(m, afterName, hint, out) : names.writeData(afterName);
        if (!ok) {
            return -1;
        }
        out.setShort(dataAt - 2, out.writerIndex() - dataAt);
        return dataAt;
    }
}
