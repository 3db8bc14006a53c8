package dev.longshore.packet.capture;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The pcapng format (draft-ietf-opsawg-pcapng): one section, one Ethernet interface, nanoseconds, with each frame's
 * direction as seen from the guest.
 * <pre>
 * block             | type | total length | body, padded to 4 | total length |     all in network byte order here
 * section header    | 0A0D0D0A | 1A2B3C4D | 1.0 | -1 | options
 * interface         | 1 | link type 1, 0 | snap length | if_name, if_tsresol
 * enhanced packet   | 6 | interface 0 | time, high and low | bytes here | bytes of the frame | the bytes | epb_flags
 * statistics        | 5 | interface 0 | time, high and low | isb_ifrecv, isb_ifdrop
 * </pre>
 * Confined to one thread. The stream is the caller's.
 */
public final class PcapngWriter {
    private static final int SECTION_HEADER = 0x0A0D_0D0A;
    private static final int BYTE_ORDER_MAGIC = 0x1A2B_3C4D;
    private static final int INTERFACE = 1;
    private static final int STATISTICS = 5;
    private static final int ENHANCED_PACKET = 6;
    private static final int LINKTYPE_ETHERNET = 1;
    private static final int IF_NAME = 2;
    private static final int IF_TSRESOL = 9;
    private static final byte NANOSECONDS = 9;
    private static final int EPB_FLAGS = 2;
    private static final int INBOUND = 1;
    private static final int OUTBOUND = 2;
    private static final int ISB_IFRECV = 4;
    private static final int ISB_IFDROP = 5;
    private static final int SHB_USERAPPL = 4;

    private final OutputStream out;

    /** Writes the headers. */
    public PcapngWriter(OutputStream out, String interfaceName, int snapLength) throws IOException {
        this.out = out;
        byte[] application = "longshore capture".getBytes(StandardCharsets.UTF_8);
        ByteBuffer section = ByteBuffer.allocate(16 + option(application.length) + 4);
        section.putInt(BYTE_ORDER_MAGIC).putShort((short) 1).putShort((short) 0).putLong(-1);
        putOption(section, SHB_USERAPPL, application);
        block(SECTION_HEADER, section.putInt(0));
        byte[] name = interfaceName.getBytes(StandardCharsets.UTF_8);
        ByteBuffer body = ByteBuffer.allocate(8 + option(name.length) + option(1) + 4);
        body.putShort((short) LINKTYPE_ETHERNET).putShort((short) 0).putInt(snapLength);
        putOption(body, IF_NAME, name);
        putOption(body, IF_TSRESOL, new byte[] {NANOSECONDS});
        block(INTERFACE, body.putInt(0));
    }

    private static int option(int bytes) {
        return 4 + padded(bytes);
    }

    private static int padded(int bytes) {
        return (bytes + 3) & ~3;
    }

    private static void putOption(ByteBuffer b, int code, byte[] value) {
        b.putShort((short) code).putShort((short) value.length).put(value);
        b.position(b.position() + padded(value.length) - value.length);
    }

    private void block(int type, ByteBuffer body) throws IOException {
        int total = 12 + body.position();
        byte[] whole = ByteBuffer.allocate(total)
                .putInt(type)
                .putInt(total)
                .put(body.flip())
                .putInt(total)
                .array();
        out.write(whole);
    }

    /** One frame of {@code frameBytes}, of which {@code kept} is what there is. */
    public void frame(long epochNanos, boolean fromGuest, int frameBytes, byte[] kept) throws IOException {
        ByteBuffer body = ByteBuffer.allocate(20 + padded(kept.length) + option(4) + 4);
        body.putInt(0)
                .putLong(epochNanos)
                .putInt(kept.length)
                .putInt(frameBytes)
                .put(kept);
        body.position(20 + padded(kept.length));
        body.putShort((short) EPB_FLAGS).putShort((short) 4).putInt(fromGuest ? OUTBOUND : INBOUND);
        block(ENHANCED_PACKET, body.putInt(0));
    }

    /** The end: how many frames there were, those that were dropped included. */
    public void statistics(long epochNanos, long received, long dropped) throws IOException {
        ByteBuffer body = ByteBuffer.allocate(12 + 2 * option(8) + 4);
        body.putInt(0).putLong(epochNanos);
        body.putShort((short) ISB_IFRECV).putShort((short) 8).putLong(received);
        body.putShort((short) ISB_IFDROP).putShort((short) 8).putLong(dropped);
        block(STATISTICS, body.putInt(0));
    }
}
