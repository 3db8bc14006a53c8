package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.DnsRecord;
import io.netty.buffer.ByteBuf;

/** Where the parts of a resolver's message are, which starts at its buffer's index 0. One is used again and again; confined to the loop. */
final class DnsLayout {
    /** Index of the first record. */
    int recordsAt;

    /** Index after the last one; what may be behind it means nothing. */
    int end;

    /** Bounds of the OPT record; both {@link #end} if there is none. */
    int optFrom;

    int optTo;

    /** Of its header after the name; -1 if there is none. */
    int optAt;

    /** Goes over the whole message. False if a record is broken, there is more than one OPT or it is in another section than the last one; then nothing else is set. */
    boolean read(ByteBuf m) {
        int len = m.writerIndex();
        if (!DnsMessage.isValid(m, 0, len)) {
            return false;
        }
        int i = DnsMessage.HEADER_BYTES;
        for (int n = DnsMessage.questions(m, 0); n > 0; n--) {
            i = DnsMessage.skipQuestion(m, 0, len, i);
            if (i < 0) {
                return false;
            }
        }
        recordsAt = i;
        int from = -1;
        int to = -1;
        for (int n = DnsMessage.records(m, 0); n > 0; n--) {
            int next = DnsMessage.skipRecord(m, 0, len, i);
            if (next < 0) {
                return false;
            }
            if (m.getByte(i) == 0 && DnsRecord.type(m, i + 1) == DnsMessage.TYPE_OPT) {
                if (from >= 0 || n > DnsMessage.additionals(m, 0)) { // RFC 6891 §6.1.1
                    return false;
                }
                from = i;
                to = next;
            }
            i = next;
        }
        end = i;
        optFrom = from < 0 ? i : from;
        optTo = from < 0 ? i : to;
        optAt = from < 0 ? -1 : from + 1;
        return true;
    }

    /** Bytes of all records but OPT. */
    int recordBytes() {
        return end - recordsAt - (optTo - optFrom);
    }

    boolean hasOpt() {
        return optAt >= 0;
    }
}
