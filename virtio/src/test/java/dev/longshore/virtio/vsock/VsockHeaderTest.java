package dev.longshore.virtio.vsock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import org.junit.jupiter.api.Test;

/** Virtio 1.2, 5.10.6, struct virtio_vsock_hdr. */
class VsockHeaderTest {
    @Test
    void header_written_isLittleEndianAsInTheFigure() {
        ByteBuf b = Unpooled.buffer(46).writerIndex(46);
        VsockHeader.write(b, 2, 2, 0x40000001, 3, 2375, 1, VsockHeader.OP_RW);
        VsockHeader.setLen(b, 2, 0x102);
        VsockHeader.setFlags(b, 2, 3);
        VsockHeader.setCredit(b, 2, 0x40000, -2);
        assertEquals(
                "0000" + "0200000000000000" + "0300000000000000" + "01000040" + "47090000" + "02010000" + "0100"
                        + "0500" + "03000000" + "00000400" + "feffffff",
                ByteBufUtil.hexDump(b));
        assertEquals(2, VsockHeader.srcCid(b, 2));
        assertEquals(3, VsockHeader.dstCid(b, 2));
        assertEquals(0x40000001, VsockHeader.srcPort(b, 2));
        assertEquals(2375, VsockHeader.dstPort(b, 2));
        assertEquals(0x102, VsockHeader.len(b, 2));
        assertEquals(1, VsockHeader.type(b, 2));
        assertEquals(5, VsockHeader.op(b, 2));
        assertEquals(3, VsockHeader.flags(b, 2));
        assertEquals(0x40000, VsockHeader.bufAlloc(b, 2));
        assertEquals(-2, VsockHeader.fwdCnt(b, 2));
    }

    @Test
    void length_beyondPacket_isInvalid() {
        ByteBuf b = Unpooled.buffer(44).writerIndex(44);
        assertTrue(VsockHeader.isValid(b, 0, 44));
        assertFalse(VsockHeader.isValid(b, 0, 43));
        VsockHeader.setLen(b, 0, 10);
        assertFalse(VsockHeader.isValid(b, 0, 53));
        assertTrue(VsockHeader.isValid(b, 0, 54));
        assertTrue(VsockHeader.isValid(b, 0, Long.MAX_VALUE));
        VsockHeader.setLen(b, 0, 65536);
        assertTrue(VsockHeader.isValid(b, 0, Long.MAX_VALUE));
        VsockHeader.setLen(b, 0, 65537);
        assertFalse(VsockHeader.isValid(b, 0, Long.MAX_VALUE));
        VsockHeader.setLen(b, 0, -1);
        assertFalse(VsockHeader.isValid(b, 0, Long.MAX_VALUE));
        assertFalse(VsockHeader.isValid(b.writerIndex(43), 0, Long.MAX_VALUE));
    }
}
